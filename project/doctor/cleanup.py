"""Whether `manage.py cleanup` is run now and then."""

from collections.abc import Iterator
from datetime import timedelta

from django.contrib.sessions.models import Session as SignIn
from django.db import OperationalError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from sessions_app.chores import chores
from sessions_app.models import Session, WebSocketTicket

from .examination import Case, examination
from .finding import Finding, ok, skipped, warning
from .hurried import hurry
from .shell import manage

LONG = timedelta(days=3)
MOST_COUNTED = 1000


@examination("cleanup", needs=("migrations",))
def cleanup(case: Case) -> Iterator[Finding]:
    hurry()
    try:
        is_overdue = any(rows.exists() for rows in left_lying())
        due = total_due() if is_overdue else 0
    except OperationalError:
        yield skipped("overdue", "There is too much to look through within seconds.", manage("cleanup --dry-run"))
        return
    if not is_overdue:
        yield ok("overdue", f"Nothing has been waiting to be cleaned up for more than {LONG.days} days.")
        return
    count = f"more than {due}" if due >= MOST_COUNTED else str(due)
    says = f"Nobody has cleaned up for more than {LONG.days} days: {count} rows are due."
    yield warning("overdue", says, f"{manage('cleanup')}, once an hour (docs/settings.md#cleaning-up)")


def left_lying() -> Iterator[QuerySet[Session] | QuerySet[SignIn] | QuerySet[WebSocketTicket]]:
    """What is left by everybody who calls or signs in, and is the first to go."""
    then = timezone.now() - LONG
    yield Session.objects.filter(ended_at=None).over(then)
    yield SignIn.objects.filter(expire_date__lte=then)
    yield WebSocketTicket.objects.filter(expires_at__lte=then)


def total_due() -> int:
    """Of each kind at most a thousand are counted."""
    autodiscover_modules("cleanup")
    return sum(chore.due()[:MOST_COUNTED].count() for chore in chores)
