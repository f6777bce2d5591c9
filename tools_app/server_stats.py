"""How the server does: what operators ask first. Of nobody in particular, and of no secret."""

import resource
import time
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from sessions_app.models import Session

from .models import ToolCall
from .wire_model import WireModel

STARTED = time.monotonic()
ACTIVE = timedelta(minutes=15)
STATM = Path("/proc/self/statm")
MIB = 2**20


class ServerStats(WireModel):
    active_users: int
    """Who called something within the last quarter of an hour."""
    total_sessions: int
    """That are live."""
    uptime_seconds: float
    """Of the process that answers."""
    memory_bytes: int
    """Of the process that answers, as it is now."""
    api_calls_today: int
    """Since midnight, UTC."""
    backends: dict[str, str]

    def to_markdown(self) -> str:
        backends = "".join(f"- {name}: {value}\n" for name, value in self.backends.items())
        return (
            "## 📊 System Statistics\n\n"
            f"**Active Users:** {self.active_users}\n"
            f"**Total Sessions:** {self.total_sessions}\n"
            f"**Server Uptime:** {timedelta(seconds=round(self.uptime_seconds))}\n"
            f"**Memory Usage:** {self.memory_bytes / MIB:.0f} MiB\n"
            f"**API Calls Today:** {self.api_calls_today}\n\n"
            f"**Backends:**\n{backends}"
        )


def server_stats() -> ServerStats:
    """As of now. A few queries, each over an index."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    active = Session.objects.filter(last_activity_at__gt=timezone.now() - ACTIVE).exclude(user=None)
    return ServerStats(
        active_users=active.order_by().values("user").distinct().count(),
        total_sessions=Session.objects.live().count(),
        uptime_seconds=time.monotonic() - STARTED,
        memory_bytes=memory(),
        api_calls_today=ToolCall.objects.since(midnight).count(),
        backends=backends(),
    )


def memory() -> int:
    """Bytes that are resident; where the system does not say, the most that ever were."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def backends() -> dict[str, str]:
    shared = "Redis" if settings.REDIS_URL else "memory, of a single process"
    return {
        "database": connection.display_name,
        "state": shared,
        "cache": shared,
        "channel layer": shared,
        "workers": str(settings.CONFIG.workers),
    }
