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

from sessions_app.outage import log

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
    """200 when all that a call needs is there, else 503; and which part is not, or that it is about to stop.

    Without Redis calls go on; were all servers not ready then, nobody would be served for want of it.
    """
    if draining.is_set():
        return unlogged(JsonResponse({"status": "not ready", "draining": True}, status=503))
    checks = {"database": database, "migrations": migrations}
    if settings.CONFIG.redis_url:
        checks["redis"] = redis
    found = {name: works(name, check) for name, check in checks.items()}
    parts = {name: "ok" if is_ok else "failed" for name, is_ok in found.items()}
    is_ready = found["database"] and found["migrations"]
    status = "not ready" if not is_ready else "ready" if all(found.values()) else "degraded"
    return unlogged(JsonResponse({"status": status, **parts}, status=200 if is_ready else 503))


def unlogged(answer: JsonResponse) -> JsonResponse:
    """Django would log each 503, however often it is asked."""
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def works(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 (whatever a backend raises when it is away)
        log.tell(logger, f"{'Degraded' if name == 'redis' else 'Not ready'}: {name}", error)
        return False


def database() -> bool:
    """Whether it answers, and takes changes. A standby does not."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('transaction_read_only') = 'off'")
        else:
            cursor.execute("SELECT 1 = 1")
        [takes_changes] = cursor.fetchone()
        return bool(takes_changes)


def migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def redis() -> bool:
    cache.set("concierge-readyz", "1", timeout=5)
    return bool(cache.get("concierge-readyz") == "1")
