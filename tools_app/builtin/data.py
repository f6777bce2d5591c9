"""Figures that take a while to gather, kept for ten minutes with the session. The seed's `cached-data-fetch`."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal

from django.utils import timezone
from pydantic import Field

from sessions_app.call import Call
from sessions_app.models import Session
from sessions_app.permissions import ADMIN, ADMINISTRATORS, MEMBERS
from sessions_app.pool import tool_pool
from sessions_app.principal import Principal
from tools_app.context import CurrentCall, CurrentLog
from tools_app.models import ToolCall
from tools_app.recorder import recorder
from tools_app.registry import tool
from tools_app.server_stats import server_stats
from tools_app.usage import left_of
from tools_app.wire_model import WireModel

KEPT_FOR = 600.0
"""Seconds."""
LATEST = 50
"""Lines of the log."""
MOST_SESSIONS = 50
DataType = Literal["reports", "analytics", "metrics", "logs"]


class FetchedData(WireModel):
    data_type: DataType
    source: Literal["fresh", "cached"]
    age_seconds: float = Field(description="Since it was gathered.")
    data: dict[str, Any]

    def to_markdown(self) -> str:
        about = "Fresh" if self.source == "fresh" else "Cached"
        pretty = json.dumps(self.data, ensure_ascii=False, indent=2)
        age = f"Gathered {self.age_seconds:.0f} seconds ago.\n\n" if self.source == "cached" else ""
        return f"## 📊 {self.data_type} ({about})\n\n{age}```json\n{pretty}\n```"


@tool(
    "cached-data-fetch",
    title="Cached Data Fetch",
    groups=(MEMBERS, ADMINISTRATORS),
    read_only=True,
    idempotent=True,
    icon="data",
)
async def cached_data_fetch(
    dataType: Annotated[
        DataType,
        Field(
            description="reports: your calls of a week by tool; analytics: the trend of two days by hour;"
            " metrics: your limits, and for administrators the server's figures; logs: your latest calls.",
            examples=["reports", "logs"],
        ),
    ],
    useCache: Annotated[bool, Field(description="Take what was gathered within ten minutes, and keep it.")] = True,
    refreshCache: Annotated[bool, Field(description="Gather it anew, and keep that.")] = False,
    *,
    call: CurrentCall,
    log: CurrentLog,
) -> FetchedData:
    """Fetch data with session-level caching

    Figures about you, from the server's own record. The answer says whether it is fresh or cached, and how old.
    Ask with refreshCache when you need what happened a moment ago.
    """

    def gather() -> Any:
        log.info("Fetching fresh data", userId=call.principal.account, dataType=dataType)
        return json.loads(json.dumps(SOURCES[dataType](call.principal), default=str))

    await recorder.drain()  # what this process still has to write
    if not useCache:
        return FetchedData(data_type=dataType, source="fresh", age_seconds=0, data=await tool_pool.run(gather))
    key = cache_key(dataType, call)
    kept, is_new = await call.session.cache.get_or_make(key, gather, KEPT_FOR, anew=refreshCache)
    if not is_new:
        log.info("Returning cached data", userId=call.principal.account, dataType=dataType)
    return FetchedData(
        data_type=dataType,
        source="fresh" if is_new else "cached",
        age_seconds=round(kept.age, 3),
        data=kept.value,
    )


def cache_key(data_type: str, call: Call) -> str:
    """What somebody may no longer see he does not get from the cache either."""
    authority = repr((call.principal.is_narrowed, sorted(call.principal.permissions)))
    return f"data-{data_type}-{sha256(authority.encode()).hexdigest()[:16]}"


def report(principal: Principal) -> dict[str, Any]:
    """A week by tool, and the live sessions."""
    calls = ToolCall.objects.of_caller(principal).since(timedelta(days=7))
    sessions = Session.objects.live().of(principal)
    if principal.account is not None and not principal.is_narrowed:
        sessions = Session.objects.live().filter(user_id=principal.account)
    by_tool = calls.busiest()
    shown = sessions.values("label", "client_name", "transport", "opened_at", "last_activity_at", "calls")
    return {
        "days": 7,
        "calls": sum(row["calls"] for row in by_tool),
        "errors": sum(row["errors"] for row in by_tool),
        "tools": by_tool,
        "liveSessions": list(shown[:MOST_SESSIONS]),
    }


def trend(principal: Principal) -> dict[str, Any]:
    """Two days by hour: this one beside the one before."""
    calls, now = ToolCall.objects.of_caller(principal), timezone.now()
    day = timedelta(days=1)
    hours = list(calls.since(2 * day).per("hour").order_by("-hour"))
    today = [row for row in hours if row["hour"] > now - day]
    before = [row for row in hours if row["hour"] <= now - day]
    return {
        "lastDay": totals(today),
        "dayBefore": totals(before),
        "busiestHour": max(hours, key=lambda row: row["calls"])["hour"] if hours else None,
        "hours": hours,
    }


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    calls, errors = sum(row["calls"] for row in rows), sum(row["errors"] for row in rows)
    taken = sum(row["total_ms"] for row in rows)
    return {
        "calls": calls,
        "errors": errors,
        "errorRate": round(errors / calls, 4) if calls else 0.0,
        "meanMs": round(taken / calls, 3) if calls else 0.0,
    }


def metrics(principal: Principal) -> dict[str, Any]:
    """His own limits; and the server's figures, if he may administer it."""
    server = server_stats().model_dump(mode="json", by_alias=True) if principal.may(ADMIN) else None
    return {"limits": left_of(principal.buckets, principal), "server": server}


def log_of(principal: Principal) -> dict[str, Any]:
    """The latest calls. No argument is kept, so none is here."""
    calls = ToolCall.objects.of_caller(principal).order_by("-started_at", "-id")
    shown = calls.values("started_at", "kind", "name", "outcome", "error_id", "duration_ms", "client_name")
    return {"latest": list(shown[:LATEST])}


SOURCES: Mapping[DataType, Callable[[Principal], dict[str, Any]]] = {
    "reports": report,
    "analytics": trend,
    "metrics": metrics,
    "logs": log_of,
}
