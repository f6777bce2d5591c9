"""What the record says of a user, on his page."""

from datetime import timedelta

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from sessions_app.admin.usage import usage
from sessions_app.models import User
from tools_app.models import ToolCall

LATELY = timedelta(days=1)
MOST_COUNTED = 100_000


@usage("Calls in the last 24 hours")
def calls(user: User) -> str:
    """Counted up to a bound: a page about one busy agent is not to take as long as he is busy."""
    lately = ToolCall.objects.of(user).since(LATELY).order_by()[:MOST_COUNTED]
    found = ToolCall.objects.filter(pk__in=lately.values("pk")).totals()
    many = "at least " if found["calls"] == MOST_COUNTED else ""
    at = f"{reverse('admin:tools_app_toolcall_changelist')}?{urlencode({'user': user.get_username()})}"
    return format_html('{}{}, of which {} failed (<a href="{}">the record</a>)', many, *counted(found), at)


def counted(found: dict[str, int]) -> tuple[str, str]:
    return f"{found['calls']:,}", f"{found['errors']:,}"
