"""How the current session does. The seed's `session-analytics`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from pydantic import Field

from sessions_app.call import Call
from sessions_app.models import Session
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from sessions_app.pool import tool_pool
from sessions_app.state import Operation, state
from tools_app.context import CurrentCall, CurrentLog
from tools_app.models import ToolCall
from tools_app.recorder import recorder
from tools_app.registry import tool
from tools_app.wire_model import WireModel

LATELY = timedelta(hours=24)
"""How far back calls are told apart by tool and by hour."""


class ActiveOperation(WireModel):
    id: str
    tool_name: str
    started_at: datetime
    running_ms: int
    parameters_digest: str = Field(description="Alike for equal arguments; says nothing else of them.")


class ToolCalls(WireModel):
    tool: str
    calls: int
    errors: int
    total_ms: float


class HourCalls(WireModel):
    hour: datetime
    calls: int
    errors: int


class SessionAnalytics(WireModel):
    tool_call_count: int
    total_execution_time: float = Field(description="Milliseconds.")
    last_tool_call: datetime | None
    error_count: int
    active_operations: list[ActiveOperation] = Field(description="Other calls of this session that run now.")
    cache_entries: int
    calls_per_tool: list[ToolCalls] = Field(description="Of the last 24 hours, the busiest first.")
    calls_per_hour: list[HourCalls] = Field(description="Of the last 24 hours, the newest first; UTC.")

    def to_markdown(self) -> str:
        running = "\n".join(
            f"- **{active.tool_name}** ({active.id}) - Running for {active.running_ms}ms"
            for active in self.active_operations
        )
        tools = "\n".join(f"- {row.tool}: {row.calls} calls, {row.errors} errors" for row in self.calls_per_tool)
        hours = "\n".join(
            f"- {row.hour:%Y-%m-%d %H:00}: {row.calls} calls, {row.errors} errors" for row in self.calls_per_hour
        )
        return (
            "## 📈 Session Analytics\n\n"
            f"**Tool Calls:** {self.tool_call_count}\n"
            f"**Total Execution Time:** {self.total_execution_time:g}ms\n"
            f"**Last Tool Call:** {self.last_tool_call.isoformat() if self.last_tool_call else 'None'}\n"
            f"**Error Count:** {self.error_count}\n"
            f"**Active Operations:** {len(self.active_operations)}\n"
            f"**Cache Entries:** {self.cache_entries}\n\n"
            f"### Active Operations\n{running or '*No active operations*'}\n\n"
            f"### Calls per tool, last 24 hours\n{tools or '*None*'}\n\n"
            f"### Calls per hour (UTC)\n{hours or '*None*'}"
        )


@tool(
    "session-analytics",
    title="Session Analytics",
    groups=(MEMBERS, ADMINISTRATORS),
    read_only=True,
    idempotent=True,
    icon="chart",
)
async def session_analytics(*, call: CurrentCall, log: CurrentLog) -> SessionAnalytics:
    """Get analytics for current session

    How many calls this session made, how long they took, which failed, what runs in it right now (on any
    worker), what it has cached, and its calls by tool and by hour. This very call is not counted yet.
    """
    log.info("Session analytics requested", userId=call.principal.account)
    await recorder.drain()  # what this process still has to write
    running = [active for active in await state.operations(call.principal.owner) if is_other(active, call)]
    measured = await tool_pool.run(lambda: measures(call.session))
    return SessionAnalytics(active_operations=[described(active) for active in running], **measured)


def is_other(active: Operation, call: Call) -> bool:
    """Of this session, and not the one that asks."""
    mine = call.ticket.operation
    return active.session == call.session.operations_name and (mine is None or active.id != mine.id)


def described(active: Operation) -> ActiveOperation:
    return ActiveOperation(
        id=active.id,
        tool_name=active.name,
        started_at=datetime.fromtimestamp(active.started_at, UTC),
        running_ms=max(0, round((time.time() - active.started_at) * 1000)),
        parameters_digest=active.digest,
    )


def measures(session: Session) -> dict[str, Any]:
    now = Session.objects.filter(pk=session.pk).first() or session  # a guest's may be no row
    of_session = ToolCall.objects.filter(credential=session.credential, session_id=session.pk)
    lately = of_session.since(max(now.opened_at, timezone.now() - LATELY))
    return {
        "tool_call_count": now.calls,
        "total_execution_time": round(now.total_ms, 3),
        "last_tool_call": now.last_call_at,
        "error_count": now.errors,
        "cache_entries": len(session.cache),
        "calls_per_tool": [tool_calls(row) for row in lately.busiest()],
        "calls_per_hour": [
            HourCalls(hour=row["hour"], calls=row["calls"], errors=row["errors"])
            for row in lately.per("hour").order_by("-hour")
        ],
    }


def tool_calls(row: dict[str, Any]) -> ToolCalls:
    """Of what no tool has the name, too: such calls were refused, and count."""
    return ToolCalls(
        tool=row["name"], calls=row["calls"], errors=row["errors"], total_ms=round(row["total_ms"], 3)
    )
