"""Whether what is counted and numbered agrees with what is there. Apps add checks in their `integrity.py`.

@integrity_check("messages are numbered without a gap")
def numbered() -> Iterator[str]:
    yield from (f"Room {room} lacks a number" for room in ...)
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.models import AutoField, Count, F, Max, Q
from django.utils import timezone

from sessions_app.models import Preference, Session
from sessions_app.models.preference import MOST_KEYS

from .models import ToolCall

Check = Callable[[], Iterator[str]]
MOST_FINDINGS = 20
"""Of one check: then it is known that something is wrong."""
SETTLED = timedelta(minutes=1)
"""Since when a session has to be quiet: the last calls of others are still being written."""
LATELY = timedelta(days=7)
"""So far back is counted: the record may have ten million rows."""
OWN_APPS = ("sessions_app", "tools_app", "collab_app")

checks: dict[str, Check] = {}


def integrity_check(name: str) -> Callable[[Check], Check]:
    """Register a check, which yields a sentence for each thing that is wrong. It reads, and changes nothing."""

    def register(check: Check) -> Check:
        if name in checks:
            raise ValueError(f"{name!r} is registered twice")
        checks[name] = check
        return check

    return register


def findings_of(check: Check) -> list[str]:
    return list(islice(check(), MOST_FINDINGS))


@integrity_check("a session has counted the calls that the record has")
def counted_calls() -> Iterator[str]:
    """Of those that were opened lately. A worker that was killed leaves some behind by the calls of its last
    quarter second that wrote: their rows were committed with what they did, and were not counted yet."""
    since = timezone.now() - min(LATELY, timedelta(days=settings.CONFIG.record_days))
    calls_since = ToolCall.objects.since(since).exclude(session_id=None).order_by()
    recorded = dict(calls_since.values_list("session_id").annotate(calls=Count("pk")))
    quiet = Session.objects.filter(opened_at__gte=since, last_activity_at__lt=timezone.now() - SETTLED)
    for pk, calls in quiet.order_by("pk").values_list("pk", "calls").iterator():
        if calls != recorded.get(pk, 0):
            yield f"Session {pk} has counted {calls} calls, and the record has {recorded.get(pk, 0)}"


@integrity_check("a session has no more errors than calls")
def counted_errors() -> Iterator[str]:
    for pk in Session.objects.filter(errors__gt=F("calls")).order_by("pk").values_list("pk", flat=True):
        yield f"Session {pk} has counted more errors than calls"


@integrity_check("nobody has more preferences than he may")
def bounded_preferences() -> Iterator[str]:
    many = Preference.objects.order_by().values("user").annotate(keys=Count("pk")).filter(keys__gt=MOST_KEYS)
    for row in many:
        yield f"User {row['user']} has {row['keys']} preferences"


@integrity_check("a live session's time is not over before it began")
def ordered_times() -> Iterator[str]:
    wrong = Session.objects.filter(Q(expires_at__lt=F("opened_at")) | Q(ended_at__lt=F("opened_at")))
    for pk in wrong.order_by("pk").values_list("pk", flat=True):
        yield f"Session {pk} was over before it was opened"


@integrity_check("the database numbers new rows beyond the old ones")
def sequences() -> Iterator[str]:
    """A dump that was restored without its sequences gives new rows the ids of old ones."""
    for model in apps.get_models():
        if model._meta.app_label in OWN_APPS and isinstance(model._meta.pk, AutoField):
            newest = model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
            last = last_number(model._meta.db_table, str(model._meta.pk.column))
            if last is not None and last < newest:
                table = model._meta.db_table
                yield f"{table} has a row {newest}, and the database would number the next {last + 1}"


def last_number(table: str, column: str) -> int | None:
    """What the database gave out last; None where rows are numbered by what is there, as on SQLite."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s)::regclass)", [table, column])
        [last] = cursor.fetchone()
    return int(last or 0)
