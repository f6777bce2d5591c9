"""Who has nearly used up a limit: asked of those who call most, in one round trip to the shared state."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from django.utils import timezone

from sessions_app.limits import CALLS, Bucket
from sessions_app.models import ApiKey, User
from sessions_app.state import Usage, state
from tools_app.models import HourOfUser, ToolPolicy
from tools_app.models.tool_policy import UNDECIDED
from tools_app.policies import limit_at
from tools_app.registry import registry

MOST_USERS, MOST_KEYS, MOST_BUCKETS = 50, 200, 1000
MOST_SHOWN = 10
SHARE = 0.8
LATELY = timedelta(minutes=10)
"""Keys that were used since: it is noted once a minute."""


@dataclass(frozen=True)
class NearLimit:
    who: str
    limit: str
    rate: str
    used: int
    most: int
    resets_after: float
    """Seconds until the oldest call that counts does not any more."""

    @property
    def share(self) -> float:
        return self.used / self.most


def near_limits() -> list[NearLimit]:
    """The nearest first. Of users who called most in this hour and the last; guests, who have no names, are not
    among them. Four queries."""
    busiest = HourOfUser.objects.of_last(2).exclude(user_id=HourOfUser.GUESTS).busiest(MOST_USERS)
    users = dict(User.objects.filter(pk__in=[row["user_id"] for row in busiest]).values_list("pk", "username"))
    asked = dict(islice(buckets_of(users), MOST_BUCKETS))
    near = [near_limit(asked[usage.bucket], usage) for usage in state.usage_now(list(asked))]
    return sorted((limit for limit in near if limit.share >= SHARE), key=lambda limit: -limit.share)[:MOST_SHOWN]


def buckets_of(users: dict[int, str]) -> Iterator[tuple[Bucket, str]]:
    """Where their calls are counted, and what the counted one is called."""
    for pk, name in users.items():
        yield Bucket(CALLS, f"user:{pk}"), name
    lately = timezone.now() - LATELY
    keys = ApiKey.objects.valid().filter(user__in=users, last_used_at__gt=lately).order_by("-last_used_at")
    for key in keys[:MOST_KEYS]:
        yield Bucket(key.own_limit(), key.credential), f"{users[key.user_id]} ({key.name})"
    decided = ToolPolicy.decisions()
    for tool in registry.tools.values():
        if (limit := limit_at(decided.get(tool.name, UNDECIDED).rate, tool)) is not None:
            for pk, name in users.items():
                yield Bucket(limit, f"user:{pk}:{tool.name}"), f"{name} ({tool.name})"


def near_limit(who: str, usage: Usage) -> NearLimit:
    limit = usage.bucket.limit
    return NearLimit(who, limit.name, limit.rate, limit.most - usage.remaining, limit.most, usage.resets_after)
