"""How far the limits that count a caller are used up."""

from collections.abc import Iterator, Sequence
from typing import Any

from sessions_app.limits import Bucket
from sessions_app.principal import Principal
from sessions_app.state import state

from .models import ToolPolicy
from .models.tool_policy import UNDECIDED
from .policies import buckets_at
from .registry import registry


def left_of(buckets: Sequence[Bucket], principal: Principal) -> list[dict[str, Any]]:
    """Of `buckets`, which count all his requests, and of each tool that he may use. For code on a thread."""
    tools: dict[Bucket, str | None] = {**dict.fromkeys(buckets), **dict(tool_limits(principal))}
    return [
        {
            "limit": usage.bucket.limit.name,
            "tool": tools[usage.bucket],
            "rate": usage.bucket.limit.rate,
            "remaining": usage.remaining,
            "resets_after": usage.resets_after,
        }
        for usage in state.usage_now(list(tools))
    ]


def tool_limits(principal: Principal) -> Iterator[tuple[Bucket, str]]:
    """A limit must not tell that there is a hidden tool."""
    decisions = ToolPolicy.decisions()
    for tool in registry.tools.values():
        decision = decisions.get(tool.name, UNDECIDED)
        if decision.is_on and principal.may(tool.permission):
            for bucket in buckets_at(decision.rate, tool, principal):
                yield bucket, tool.name
