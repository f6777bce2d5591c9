"""What a user's page says of his use. Each app adds what it knows, in a sentence or a link.

@usage("Calls in the last 24 hours")
def calls(user: User) -> str: ...
"""

from collections.abc import Callable

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from sessions_app.limits import CALLS, Bucket
from sessions_app.models import User
from sessions_app.state import state

Say = Callable[[User], str]

USAGE: dict[str, Say] = {}


def usage(title: str) -> Callable[[Say], Say]:
    def register(say: Say) -> Say:
        if title in USAGE:
            raise ValueError(f"{title!r} is registered twice")
        USAGE[title] = say
        return say

    return register


def usage_of(user: User) -> SafeString:
    rows = ((title, say(user)) for title, say in USAGE.items())
    return format_html_join("", "<p><strong>{}</strong>: {}</p>", rows)


@usage("Requests against the limit")
def requests(user: User) -> str:
    [used] = state.usage_now([Bucket(CALLS, f"user:{user.pk}")])
    return f"{CALLS.most - used.remaining} of {CALLS.rate}"
