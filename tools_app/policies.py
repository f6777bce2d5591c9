"""What operators decided about tools, as the database says at this epoch and within the last second."""

from collections.abc import Sequence

from sessions_app.limits import Bucket, Limit
from sessions_app.pool import identity_pool
from sessions_app.principal import Principal
from sessions_app.rates import is_rate
from sessions_app.recent import Recent
from sessions_app.state import Epoch

from .capabilities import Tool
from .models import ToolPolicy


class Policies:
    def __init__(self) -> None:
        self._recent: Recent[str, dict[str, str]] = Recent()
        self._rates: dict[str, str] = {}

    async def refresh(self, epoch: Epoch) -> bool:
        """Whether they are others than before."""
        everybody = epoch[0] if epoch is not None else ""
        rates = self._recent.get(everybody)
        if rates is None:
            rates = await self._recent.read(everybody, lambda: identity_pool.run(ToolPolicy.rates))
        before, self._rates = self._rates, rates
        return rates is not before and rates != before

    def buckets(self, tool: Tool, principal: Principal) -> Sequence[Bucket]:
        """Where this caller's calls of the tool are counted, if it has a limit of its own."""
        return buckets_at(self._rates.get(tool.name, ""), tool, principal)

    def forget(self) -> None:
        """Read them anew."""
        self._recent.forget()
        self._rates = {}


def buckets_at(rate: str, tool: Tool, principal: Principal) -> Sequence[Bucket]:
    limit = limit_at(rate, tool)
    return () if limit is None else (Bucket(limit, f"{principal.owner}:{tool.name}"),)


def limit_at(rate: str, tool: Tool) -> Limit | None:
    """Its own, at the rate that operators set; or one that only they set."""
    if tool.limit is None:
        return Limit(f"tool-{tool.name}", 1, 1).at(rate) if is_rate(rate) else None
    return tool.limit.at(rate)


policies = Policies()
