"""Calls an hour, added up while they are recorded: a page about ten million rows reads a few hundred of these."""

from typing import Any

from django.db import models
from django.db.models import F, Sum

from sessions_app.hours import HourQuerySet
from tools_app.latency import BUCKETS

from .tool_call import ToolCall

OUTCOMES = tuple(ToolCall.Outcome.values)
"""Also the columns that count them."""
UNKNOWN = "(unknown)"
"""What is called all that there is not: whoever calls it makes names up."""


def total(*columns: str) -> Any:
    """Their sum, as an expression."""
    first, *others = columns
    return sum((F(column) for column in others), start=F(first))


CALLS = total(*OUTCOMES)
ERRORS = total(*ToolCall.FAILURES)


class HourOfNameQuerySet(HourQuerySet):
    def by_hour(self) -> Any:
        """A queryset of `calls`, `errors`, `total_ms`, each outcome and each bucket, for each `hour`."""
        added = {column: Sum(column) for column in (*OUTCOMES, *BUCKETS)}
        return self.order_by("hour").values("hour").annotate(calls=Sum(CALLS), errors=Sum(ERRORS), **added)

    def outcomes(self) -> dict[str, int]:
        """How many calls came to each outcome."""
        added = self.aggregate(**{outcome: Sum(outcome) for outcome in OUTCOMES})
        return {outcome: count or 0 for outcome, count in added.items()}

    def busiest(self, most: int) -> Any:
        """A queryset of `calls`, `errors`, `total_ms` and each bucket, for each `kind` and `name`."""
        added = {column: Sum(column) for column in BUCKETS}
        per_name = self.order_by().values("kind", "name")
        per_name = per_name.annotate(calls=Sum(CALLS), errors=Sum(ERRORS), all_ms=Sum("total_ms"), **added)
        return per_name.order_by("-calls", "kind", "name")[:most]


class HourOfName(models.Model):
    """Of a tool, resource, prompt or completion."""

    hour = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=ToolCall.Kind)
    name = models.CharField(max_length=255)

    ok = models.BigIntegerField(default=0)
    error = models.BigIntegerField(default=0)
    invalid = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    timeout = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    crashed = models.BigIntegerField(default=0)
    total_ms = models.FloatField(default=0)

    # Of those that ran, so neither refused nor invalid. Columns: what is added to them need not read them.
    within_1 = models.BigIntegerField(default=0)
    within_2 = models.BigIntegerField(default=0)
    within_5 = models.BigIntegerField(default=0)
    within_10 = models.BigIntegerField(default=0)
    within_20 = models.BigIntegerField(default=0)
    within_50 = models.BigIntegerField(default=0)
    within_100 = models.BigIntegerField(default=0)
    within_200 = models.BigIntegerField(default=0)
    within_500 = models.BigIntegerField(default=0)
    within_1000 = models.BigIntegerField(default=0)
    within_2000 = models.BigIntegerField(default=0)
    within_5000 = models.BigIntegerField(default=0)
    within_10000 = models.BigIntegerField(default=0)
    within_20000 = models.BigIntegerField(default=0)
    beyond = models.BigIntegerField(default=0)

    objects = HourOfNameQuerySet.as_manager()

    class Meta:
        db_table = "tools_hour_of_name"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["hour", "kind", "name"], name="one_hour_of_a_name")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} at {self.hour:%Y-%m-%d %H:00}"


class HourOfUserQuerySet(HourQuerySet):
    def busiest(self, most: int) -> Any:
        """A queryset of `calls`, `errors` and `total_ms` for each `user_id`."""
        per_user = self.order_by().values("user_id")
        added = per_user.annotate(all_calls=Sum("calls"), all_errors=Sum("errors"), all_ms=Sum("total_ms"))
        return added.order_by("-all_calls", "user_id")[:most]


class HourOfUser(models.Model):
    """Of one user, with whatever credential; of all guests together."""

    GUESTS = 0

    hour = models.DateTimeField()
    user_id = models.BigIntegerField(help_text="0: of guests.")
    calls = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    total_ms = models.FloatField(default=0)

    objects = HourOfUserQuerySet.as_manager()

    class Meta:
        db_table = "tools_hour_of_user"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["hour", "user_id"], name="one_hour_of_a_user")]

    def __str__(self) -> str:
        return f"user {self.user_id} at {self.hour:%Y-%m-%d %H:00}"
