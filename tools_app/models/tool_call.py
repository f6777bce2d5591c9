from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce, TruncHour
from django.utils import timezone

from sessions_app.models import User
from sessions_app.plain_text import visible
from sessions_app.principal import Principal

NEWEST_FIRST = ("-started_at", "-id")
MOST_NAMES, OTHERS = 100, "(others)"
"""Names that are told apart where calls are counted by name; and what the rest is called."""
PAGE = 1000
"""Rows that are read at once, when many are."""

# In queries as in the indexes that leave these out: SQLite uses such an index only where it reads the same.
NOT_A_TOOL = ~Q(kind="tool")
NOT_OK = ~Q(outcome="ok")
WITH_ERROR_ID = ~Q(error_id="")


class ToolCallQuerySet(models.QuerySet["ToolCall"]):
    """Each question has an index that also holds the order, so none sorts or counts what is not shown."""

    def of(self, user: User) -> Self:
        """Under whatever name; `by` asks for a name."""
        return self.filter(user_id=user.pk)

    def by(self, username: str) -> Self:
        """Of whoever had this name then, gone or not."""
        return self.filter(username=username)

    def named(self, name: str) -> Self:
        """Of a tool, resource, prompt or completion."""
        return self.filter(name=name)

    def from_client(self, name: str) -> Self:
        """As it calls itself."""
        return self.filter(client_name=name)

    def of_kind(self, kind: str) -> Self:
        calls = self.filter(kind=kind)
        return calls if kind == ToolCall.Kind.TOOL else calls.filter(NOT_A_TOOL)

    def with_outcome(self, outcome: str) -> Self:
        calls = self.filter(outcome=outcome)
        return calls if outcome == ToolCall.Outcome.OK else calls.filter(NOT_OK)

    def failed(self) -> Self:
        """What the sessions count as errors. A refusal and a cancellation are nobody's failure."""
        return self.filter(NOT_OK, outcome__in=ToolCall.FAILURES)

    def with_error_id(self, error_id: str) -> Self:
        return self.filter(WITH_ERROR_ID, error_id=error_id)

    def since(self, moment: datetime | timedelta) -> Self:
        """From `moment` on, or from so long ago."""
        start = timezone.now() - moment if isinstance(moment, timedelta) else moment
        return self.filter(started_at__gte=start)

    def until(self, moment: datetime) -> Self:
        return self.filter(started_at__lt=moment)

    def of_caller(self, principal: Principal) -> Self:
        """What he may see of his own: of a narrowed credential, or a guest's, only what was called with it."""
        if principal.account is None or principal.is_narrowed:
            return self.filter(credential=principal.credential)
        return self.filter(user_id=principal.account)

    def per(self, *names: str) -> Any:
        """A queryset of `calls`, `errors` and `total_ms` for each `name` and `hour`, or for one of these."""
        grouped = self.annotate(hour=TruncHour("started_at", output_field=models.DateTimeField()))
        return (
            grouped.order_by(*names)
            .values(*names)
            .annotate(
                calls=Count("pk"),
                errors=Count("pk", filter=Q(outcome__in=ToolCall.FAILURES)),
                total_ms=Coalesce(Sum("duration_ms"), 0.0),
            )
        )

    def totals(self) -> dict[str, Any]:
        return self.aggregate(
            calls=Count("pk"),
            errors=Count("pk", filter=Q(outcome__in=ToolCall.FAILURES)),
            total_ms=Coalesce(Sum("duration_ms"), 0.0),
        )

    def busiest(self) -> list[dict[str, Any]]:
        """As `per("name")`: those with the most calls, and then all others together as OTHERS.

        Whoever calls what there is not makes names up, so there may be millions.
        """
        rows = list(self.per("name").order_by("-calls", "name")[:MOST_NAMES])
        if len(rows) == MOST_NAMES:
            totals = self.totals()
            rest = {key: totals[key] - sum(row[key] for row in rows) for key in totals}
            rows += [{"name": OTHERS, **rest}] if rest["calls"] > 0 else []
        return rows

    def past_its_time(self) -> Self:
        """What `CONCIERGE_RECORD_DAYS` no longer covers."""
        kept = timedelta(days=settings.CONFIG.record_days)
        return self.filter(started_at__lte=timezone.now() - kept)

    def search(self, text: str) -> Self:
        """By a whole name, username, credential or error id.

        An OR over four columns would have to sort all that it finds. So each is asked first whether it knows
        the text, which costs four look-ups, and as a rule one does.
        """
        questions = [Q(WITH_ERROR_ID, error_id=text), Q(name=text), Q(username=text), Q(credential=text)]
        known = [question for question in questions if ToolCall.objects.filter(question).exists()]
        return self.filter(reduce(or_, known)) if known else self.none()

    def older_than(self, call: "ToolCall") -> Self:
        """What comes after `call` in the order of the record."""
        # Said without OR: SQLite would look up both sides of one, and sort what it finds.
        return self.filter(~Q(started_at=call.started_at, pk__gte=call.pk), started_at__lte=call.started_at)

    def in_pages(self, size: int = PAGE) -> Iterator[list["ToolCall"]]:
        """All of them, newest first. No cursor or transaction is held open between two pages."""
        calls = self.order_by(*NEWEST_FIRST)
        while page := list(calls[:size]):
            yield page
            calls = self.older_than(page[-1]).order_by(*NEWEST_FIRST)


class ToolCall(models.Model):
    """The record: one finished call, whatever came of it. History: it refers to nothing that can go."""

    class Kind(models.TextChoices):
        TOOL = "tool", "Tool"
        RESOURCE = "resource", "Resource"
        PROMPT = "prompt", "Prompt"
        COMPLETION = "completion", "Completion"

    class Outcome(models.TextChoices):
        OK = "ok", "OK"
        ERROR = "error", "Error"  # the tool said so
        INVALID = "invalid", "Invalid arguments"
        REFUSED = "refused", "Refused"
        TIMEOUT = "timeout", "Timed out"
        CANCELLED = "cancelled", "Cancelled"
        CRASHED = "crashed", "Crashed"

    FAILURES = (Outcome.ERROR, Outcome.INVALID, Outcome.TIMEOUT, Outcome.CRASHED)

    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=255, help_text="Of what was called, or asked for where there is no such.")
    # Of the arguments themselves nothing is kept: see `digest.py`.
    arguments_digest = models.CharField(
        max_length=32, blank=True, help_text="Alike for calls of one caller with equal arguments; says no more."
    )
    arguments_size = models.PositiveIntegerField(default=0, help_text="In bytes of JSON.")
    outcome = models.CharField(max_length=10, choices=Outcome)
    error_id = models.CharField(max_length=16, blank=True, help_text="Finds the traceback in the log.")
    user_id = models.BigIntegerField(null=True)
    username = models.CharField(max_length=150)
    credential = models.CharField(max_length=255)
    session_id = models.BigIntegerField(null=True)
    client_name = models.CharField(max_length=200, blank=True)
    client_version = models.CharField(max_length=100, blank=True)
    ip = models.GenericIPAddressField("IP address", null=True)
    started_at = models.DateTimeField()
    duration_ms = models.FloatField("duration (ms)")

    objects = ToolCallQuerySet.as_manager()

    class Meta:
        db_table = "tools_tool_call"
        ordering = NEWEST_FIRST
        permissions = [
            ("export_toolcall", "Can export the record of tool calls"),
            ("view_arguments", "Can view what the record says of arguments"),
        ]
        # Each costs a microsecond and a half at every call. What most rows have in common is left out of three.
        indexes = [
            models.Index(fields=["started_at", "id"], name="calls"),
            models.Index(fields=["name", "started_at"], name="calls_of_name"),
            models.Index(fields=["user_id", "started_at"], name="calls_of_user"),
            models.Index(fields=["username", "started_at"], name="calls_by_username"),
            models.Index(fields=["credential", "started_at"], name="calls_with_credential"),
            models.Index(fields=["client_name", "started_at"], name="calls_from_client"),
            models.Index(fields=["kind", "started_at"], condition=NOT_A_TOOL, name="calls_of_other_kinds"),
            models.Index(fields=["outcome", "started_at"], condition=NOT_OK, name="calls_not_ok"),
            models.Index(fields=["error_id"], condition=WITH_ERROR_ID, name="calls_with_error_id"),
        ]

    def __str__(self) -> str:
        return f"{visible(self.name)} by {visible(self.username)}: {self.outcome}"
