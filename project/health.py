"""Whether this process is alive, and whether it should be sent work."""

import logging
from collections.abc import Callable
from threading import Event

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)

draining = Event()
"""Set when this process was told to stop: what it has it finishes, and more should go elsewhere."""


@require_safe
@never_cache
def livez(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers; it looks at nothing else."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when all that a call needs is there, else 503; and which part is not, or that it is about to stop."""
    if draining.is_set():
        return JsonResponse({"status": "not ready", "draining": True}, status=503)
    checks = {"database": database, "migrations": migrations}
    if settings.CONFIG.redis_url:
        checks["redis"] = redis
    found = {name: works(name, check) for name, check in checks.items()}
    is_ready = all(found.values())
    parts = {name: "ok" if is_ok else "failed" for name, is_ok in found.items()}
    return JsonResponse({"status": "ready" if is_ready else "not ready", **parts}, status=200 if is_ready else 503)


def works(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # whatever a backend raises when it is away
        logger.exception("Not ready: %s", name)
        return False


def database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def redis() -> bool:
    cache.set("concierge-readyz", "1", timeout=5)
    return bool(cache.get("concierge-readyz") == "1")
