"""What operators decided about tools, as the database says at this epoch and within the last second."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from sessions_app.limits import Bucket, Limit
from sessions_app.pool import Pool, identity_pool, sweep_pool
from sessions_app.principal import Principal
from sessions_app.rates import is_rate
from sessions_app.recent import Recent
from sessions_app.state import Epoch

from .models import ToolPolicy
from .models.tool_policy import UNDECIDED, Decision

if TYPE_CHECKING:
    from .capabilities import Tool

Decisions = Mapping[str, Decision]
"""By tool, where there is anything to say."""


class Reading(NamedTuple):
    number: int
    """Of two readings the later one has the higher: that is when they began."""
    decisions: Decisions
    off: frozenset[str]
    """The tools that are switched off."""


class Policies:
    def __init__(self) -> None:
        self._recent: Recent[str, Reading] = Recent()
        self._numbers = count()
        self._now = self._none()

    async def refresh(self, epoch: Epoch) -> bool:
        """Have those of this epoch or a later one. Whether they are others than before."""
        before = self._now.decisions
        everybody = epoch[0] if epoch is not None else ""
        reading = self._recent.get(everybody)
        if reading is None:
            reading = await self._recent.read(everybody, lambda: self._read(identity_pool))
        self._take(reading)
        return self._now.decisions is not before and self._now.decisions != before

    async def look(self) -> None:
        """Have those of now."""
        self._take(await self._read(sweep_pool))

    async def _read(self, pool: Pool) -> Reading:
        number = next(self._numbers)
        decisions = await pool.run(ToolPolicy.decisions)
        return Reading(number, decisions, off_in(decisions))

    def _take(self, reading: Reading) -> None:
        # A call that was let in before a change may be the last to have read. What it read is not what is now.
        if reading.number > self._now.number:
            self._now = reading

    @property
    def off(self) -> frozenset[str]:
        """The tools that nobody may know of."""
        return self._now.off

    def of(self, tool: str) -> Decision:
        return self._now.decisions.get(tool, UNDECIDED)

    def buckets(self, tool: "Tool", principal: Principal) -> Sequence[Bucket]:
        """Where this caller's calls of the tool are counted, if it has a limit of its own."""
        return buckets_at(self.of(tool.name).rate, tool, principal)

    def forget(self) -> None:
        """Read them anew."""
        self._recent.forget()
        self._now = self._none()

    def _none(self) -> Reading:
        return Reading(next(self._numbers), {}, frozenset())


def off_in(decisions: Decisions) -> frozenset[str]:
    return frozenset(tool for tool, decision in decisions.items() if not decision.is_on)


def buckets_at(rate: str, tool: "Tool", principal: Principal) -> Sequence[Bucket]:
    limit = limit_at(rate, tool)
    return () if limit is None else (Bucket(limit, f"{principal.owner}:{tool.name}"),)


def limit_at(rate: str, tool: "Tool") -> Limit | None:
    """Its own, at the rate that operators set; or one that only they set."""
    if tool.limit is None:
        return Limit(f"tool-{tool.name}", 1, 1).at(rate) if is_rate(rate) else None
    return tool.limit.at(rate)


policies = Policies()
