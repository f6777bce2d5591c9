"""What was called in the last 24 hours, by tool: of the sums by hour, in one query."""

from collections.abc import Collection
from dataclasses import dataclass

from tools_app.latency import BUCKETS, percentile
from tools_app.models import ToolCall
from tools_app.models.hour import HourOfName, HourOfNameQuerySet

HOURS = 24


@dataclass(frozen=True, slots=True)
class Lately:
    calls: int = 0
    errors: int = 0
    p95: float | None = None
    """Milliseconds."""

    @property
    def slowest(self) -> str:
        if self.p95 is None:
            return "—"
        return f"{self.p95:,.0f} ms" if self.p95 >= 10 else f"{self.p95:.1f} ms"


NEVER = Lately()


def lately_of(tools: Collection[str]) -> dict[str, Lately]:
    """Of those that were called."""
    return {
        row["name"]: Lately(row["calls"], row["errors"], percentile([row[bucket] for bucket in BUCKETS], 0.95))
        for row in hours_of(tools).busiest(len(tools))
    }


def outcomes_of(tool: str) -> list[tuple[str, int]]:
    """Those that occurred, by what they are called."""
    found = hours_of([tool]).outcomes()
    return [(str(outcome.label), found[outcome.value]) for outcome in ToolCall.Outcome if found[outcome.value]]


def hours_of(tools: Collection[str]) -> HourOfNameQuerySet:
    return HourOfName.objects.of_last(HOURS).filter(kind=ToolCall.Kind.TOOL, name__in=tools)
