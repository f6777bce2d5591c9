"""Work that is rationed. The seed's `rate-limited-operation`, and the operations that ship."""

import json
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from mcp_types import ResourceLink
from pydantic import Field

from sessions_app import limits
from sessions_app.call import Call
from sessions_app.holding import holdings
from sessions_app.models import User
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from sessions_app.plain_text import visible
from sessions_app.principal import Principal
from sessions_app.state import state
from tools_app.builtin.data import report
from tools_app.capabilities import Operation
from tools_app.context import CurrentLog, CurrentPrincipal, CurrentProgress, call_of
from tools_app.exceptions import ToolError
from tools_app.execution import Job, run_on_pool
from tools_app.integrity import checks, findings_of
from tools_app.policies import policies
from tools_app.registry import operation as rationed
from tools_app.registry import registry, tool
from tools_app.wire_model import WireModel

NAME = "rate-limited-operation"
LONGEST = 120.0
"""Seconds."""
EXPORT = "concierge://me/export"


class OperationResult(WireModel):
    operation: str
    remaining_requests: int = Field(description="That would be let in now, of this tool.")
    result: dict[str, Any]
    resources: list[str] = Field(default=[], description="URIs of resources with more, to be read next.")

    def to_markdown(self) -> str:
        result = json.dumps(self.result, ensure_ascii=False, indent=2, default=str)
        return (
            f"✅ Operation completed: {self.operation}\n\n"
            f"**Remaining requests:** {self.remaining_requests}\n"
            f"**Result:** {result}"
        )

    def links(self) -> list[ResourceLink]:
        return [ResourceLink(uri=uri, name=uri.rpartition("/")[2], type="resource_link") for uri in self.resources]


async def chosen(ctx: Context[Any, Any], operation: str) -> Callable[[], dict[str, Any]]:
    """The work that is named, with what it asked for. What only reads is done here, outside of the transaction.

    Raises: ToolError, saying which there are.
    """
    call = call_of(ctx.request_context)
    found = registry.operations.get(operation)
    if found is None or not found.is_open_to(call.principal):
        there_are = ", ".join(open_to(call)) or "none for you"
        raise ToolError(f"Unknown operation: {visible(operation)}. There are: {there_are}.")
    work = bound(found, call)
    if not found.read_only:
        return work
    result = await run_on_pool(Job(work, writes=False), LONGEST, call.principal.owner)
    return lambda: result


def open_to(call: Call) -> list[str]:
    return [name for name, found in registry.operations.items() if found.is_open_to(call.principal)]


def bound(found: Operation, call: Call) -> Callable[[], dict[str, Any]]:
    return partial(found.function.fn, **found.function.bind(call, b"{}"))


async def remaining(ctx: Context[Any, Any]) -> int:
    """Requests of this tool that would be let in now. It was counted when it was let in."""
    buckets = policies.buckets(registry.tools[NAME], call_of(ctx.request_context).principal)
    return min((usage.remaining for usage in await state.usage(buckets)), default=0)


@tool(
    NAME,
    title="Rate-limited Operation",
    groups=(MEMBERS, ADMINISTRATORS),
    limit=limits.OPERATION,
    timeout=LONGEST,
    icon="gauge",
)
def rate_limited_operation(
    operation: Annotated[
        str,
        Field(
            max_length=100,
            description="Which. export-my-data: a copy of all that this server holds about you; usage-report: your"
            " calls of a week; verify-integrity (administrators): whether counters and numbers are right.",
            examples=["export-my-data", "usage-report"],
        ),
    ],
    *,
    work: Annotated[Callable[[], dict[str, Any]], Resolve(chosen)],
    left: Annotated[int, Resolve(remaining)],
    principal: CurrentPrincipal,
    log: CurrentLog,
) -> OperationResult:
    """Operation with rate limiting

    Does one of a few larger pieces of work, at most so many times an hour, and says how many requests remain.
    Name an operation that does not exist to be told which there are.
    """
    result = work()
    about = {"userId": principal.account, "operation": operation, "remaining": left}
    log.info("Rate-limited operation executed", **about)
    resources = result.pop("resources", [])
    return OperationResult(operation=operation, remaining_requests=left, result=result, resources=resources)


def whole_account(principal: Principal) -> User:
    """Raises: ToolError for a guest, and for a narrowed credential: all of its user's is none of its own."""
    if principal.is_narrowed:
        raise ToolError("This is about all of your account, and your credential is narrowed to a part of it.")
    return User.objects.get(pk=principal.user_id)


@rationed("export-my-data", groups=(MEMBERS, ADMINISTRATORS), title="Export my data", read_only=True)
def export_my_data(*, principal: CurrentPrincipal, progress: CurrentProgress) -> dict[str, Any]:
    """All that the server holds about the caller, as a resource to be read"""
    user, counted = whole_account(principal), {}
    for done, held in enumerate(holdings.values()):
        progress(done, len(holdings), held.name)
        counted[held.name] = held.count(user)
    return {"rows": counted, "resources": [EXPORT]}


@rationed("usage-report", groups=(MEMBERS, ADMINISTRATORS), title="Usage report", read_only=True)
def usage_report(*, principal: CurrentPrincipal) -> dict[str, Any]:
    """The caller's calls of a week"""
    return report(principal)


@rationed("verify-integrity", groups=(ADMINISTRATORS,), title="Verify integrity", read_only=True)
def verify_integrity(*, progress: CurrentProgress) -> dict[str, Any]:
    """Whether counters and sequences agree with the rows, and what does not"""
    findings = {}
    for done, (name, check) in enumerate(checks.items()):
        progress(done, len(checks), name)
        findings[name] = findings_of(check)
    wrong = {name: found for name, found in findings.items() if found}
    return {"checks": len(checks), "sound": not wrong, "findings": wrong}
