"""Adds a batch of finished calls to their hours: first here, then with one statement for each row concerned."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING

from sessions_app.hours import Key, add_to

from .latency import BUCKETS, bucket_of
from .models import HourOfName, HourOfUser, ToolCall
from .models.hour import UNKNOWN
from .registry import registry

if TYPE_CHECKING:
    from .recorder import Entry

FAILURES = frozenset(ToolCall.FAILURES)
NOT_RUN = frozenset({ToolCall.Outcome.REFUSED, ToolCall.Outcome.INVALID})


def add(entries: Iterable["Entry"]) -> None:
    """In the transaction of whoever asks."""
    names: defaultdict[Key, defaultdict[str, float]] = defaultdict(sums)
    users: defaultdict[Key, defaultdict[str, float]] = defaultdict(sums)
    known = known_names()
    for entry in entries:
        hour, outcome, ms = entry.started // 3600 * 3600, entry.outcome, entry.duration_ms
        kind = entry.kind.value
        of_name = names[hour, kind, entry.name if entry.name in known[kind] else UNKNOWN]
        of_name[outcome.value] += 1
        of_name["total_ms"] += ms
        if outcome not in NOT_RUN:
            of_name[BUCKETS[bucket_of(ms)]] += 1
        of_user = users[hour, entry.principal.account or HourOfUser.GUESTS]
        of_user["calls"] += 1
        of_user["errors"] += outcome in FAILURES
        of_user["total_ms"] += ms
    add_to(HourOfName, ("hour", "kind", "name"), names)
    add_to(HourOfUser, ("hour", "user_id"), users)


def known_names() -> Mapping[str, Container[str]]:
    """What is registered, by kind: the only names that are told apart."""
    kinds = ToolCall.Kind
    return {
        kinds.TOOL.value: registry.tools,
        kinds.RESOURCE.value: registry.resources,
        kinds.PROMPT.value: registry.prompts,
        kinds.COMPLETION.value: {completion.name for completion in registry.completions.values()},
    }


def sums() -> defaultdict[str, float]:
    return defaultdict(int)
