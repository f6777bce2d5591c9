"""What the operator's home shows, as data: a few bounded queries, however much there is.

Each part is asked for by itself: one that cannot be told is None, and the others are there all the same.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from sessions_app.hours import HOUR, this_hour
from sessions_app.models import ApiKey, RefusalHour, Session, User, Worker
from sessions_app.refusals import Reason
from tools_app.latency import BUCKETS, percentile
from tools_app.models import HourOfName, HourOfUser, ToolCall

from .near_limits import NearLimit, near_limits
from .states import State, ask_database, ask_redis, states

logger = logging.getLogger(__name__)

HOURS = 24
MOST_SHOWN = 10
MOST_COUNTED = 10_000
SOON = timedelta(days=7)
MOST_HOURS_OF_USERS = 50_000
"""Rows that are added up to find the busiest users of a day; if there are more, it is those of this hour."""


@dataclass(frozen=True)
class Count:
    """How many, as far as that was counted."""

    number: int
    is_more: bool = False

    @classmethod
    def of(cls, rows: QuerySet[Any]) -> "Count":
        found = rows.order_by()[: MOST_COUNTED + 1].count()
        return cls(min(found, MOST_COUNTED), found > MOST_COUNTED)

    def __str__(self) -> str:
        return f"more than {self.number:,}".replace(",", "\u202f") if self.is_more else str(self.number)


@dataclass(frozen=True)
class Hour:
    began_at: datetime
    calls: int = 0
    errors: int = 0
    p95_ms: float | None = None


@dataclass(frozen=True)
class Calls:
    """Of the last 24 hours, this one included."""

    hours: Sequence[Hour]
    """The oldest first; 24, of which some may be empty."""
    calls: int
    errors: int
    p95_ms: float | None
    p95_of_this_hour_ms: float | None
    outcomes: Mapping[str, int]
    """In words, of those that there were."""


@dataclass(frozen=True)
class BusyName:
    kind: str
    name: str
    calls: int
    errors: int
    p95_ms: float | None


@dataclass(frozen=True)
class BusyUser:
    user_id: int
    username: str | None
    """None: his account is gone. Guests are one, with the id 0."""
    calls: int
    errors: int


@dataclass(frozen=True)
class BusyUsers:
    users: Sequence[BusyUser]
    hours: int
    """Of how many they are the busiest: a day's, or where that would take too long this one's."""


@dataclass(frozen=True)
class Refused:
    reason: str
    words: str
    count: int


@dataclass(frozen=True)
class Expiring:
    count: Count
    keys: Sequence[ApiKey]
    """The first ones, with their users."""


@dataclass(frozen=True)
class Overview:
    calls: Calls | None
    names: Sequence[BusyName] | None
    users: BusyUsers | None
    sessions: Count | None
    """Live now."""
    workers: Sequence[Worker] | None
    refused: Sequence[Refused] | None
    """In the last 24 hours, before a tool was reached; what tools' record says is among the outcomes."""
    expiring: Expiring | None
    """Keys that will have expired in a week."""
    near_limits: Sequence[NearLimit] | None
    states: Sequence[State]

    @property
    def sockets(self) -> int | None:
        """Open now, by what the workers say of themselves."""
        return None if self.workers is None else sum(worker.sockets for worker in self.workers)

    @classmethod
    def now(cls) -> "Overview":
        """A dozen queries. With a database that is away only the states are there."""
        database, redis = ask_database(), ask_redis()
        tell = told if database.is_there else untold
        workers: Sequence[Worker] | None = tell(lambda: list(Worker.objects.alive()))
        return cls(
            calls=tell(calls),
            names=tell(busiest_names),
            users=tell(busiest_users),
            sessions=tell(lambda: Count.of(Session.objects.live())),
            workers=workers,
            refused=tell(refused),
            expiring=tell(expiring),
            # What this process alone has counted, while Redis is away, would say that nobody is near.
            near_limits=tell(near_limits) if redis is None or redis.is_there else None,
            states=told(lambda: states(database, redis, workers)) or [],
        )


def told[T](part: Callable[[], T]) -> T | None:
    try:
        return part()
    except Exception:  # whatever a backend raises: the other parts are worth showing
        logger.exception("A part of the overview cannot be told")
        return None


def untold[T](part: Callable[[], T]) -> T | None:
    return None


def calls() -> Calls:
    rows = {row["hour"]: row for row in HourOfName.objects.of_last(HOURS).by_hour()}
    began = [this_hour() - hours * HOUR for hours in reversed(range(HOURS))]
    hours = [hour_from(moment, rows[moment]) if moment in rows else Hour(moment) for moment in began]
    sums: Counter[str] = Counter()
    for row in rows.values():
        sums.update({name: count for name, count in row.items() if name != "hour"})
    return Calls(
        hours=hours,
        calls=sums["calls"],
        errors=sums["errors"],
        p95_ms=p95(sums),
        p95_of_this_hour_ms=hours[-1].p95_ms,
        outcomes={words: sums[name] for name, words in ToolCall.Outcome.choices if sums[name]},
    )


def hour_from(moment: datetime, row: Mapping[str, Any]) -> Hour:
    return Hour(moment, row["calls"], row["errors"], p95(row))


def p95(row: Mapping[str, int]) -> float | None:
    return percentile([row[name] for name in BUCKETS], 0.95)


def busiest_names() -> list[BusyName]:
    return [
        BusyName(row["kind"], row["name"], row["calls"], row["errors"], p95(row))
        for row in HourOfName.objects.of_last(HOURS).busiest(MOST_SHOWN)
    ]


def busiest_users() -> BusyUsers:
    """Two or three queries. Their names are as they are now."""
    of_a_day = HourOfUser.objects.of_last(HOURS)
    hours = 1 if of_a_day.order_by()[MOST_HOURS_OF_USERS:].exists() else HOURS
    rows = list(HourOfUser.objects.of_last(hours).busiest(MOST_SHOWN))
    names = dict(User.objects.filter(pk__in=[row["user_id"] for row in rows]).values_list("pk", "username"))
    names[HourOfUser.GUESTS] = "guests"
    users = [
        BusyUser(row["user_id"], names.get(row["user_id"]), row["all_calls"], row["all_errors"]) for row in rows
    ]
    return BusyUsers(users, hours)


def refused() -> list[Refused]:
    rows = RefusalHour.objects.of_last(HOURS).by_reason()[: 5 * MOST_SHOWN]
    return [Refused(row["reason"], Reason.in_words(row["reason"]), row["all"]) for row in rows]


def expiring() -> Expiring:
    keys = ApiKey.objects.valid().filter(expires_at__lte=timezone.now() + SOON)
    return Expiring(Count.of(keys), list(keys.order_by("expires_at").select_related("user")[:MOST_SHOWN]))
