"""How much one has called, what is left of one's limits, and what came of the last calls."""

from collections.abc import Iterator
from math import ceil
from typing import Any

from django.http import HttpRequest, HttpResponse

from sessions_app.limits import API, Bucket
from sessions_app.models import User
from sessions_app.plain_text import visible
from sessions_app.state import state
from tools_app.models import ToolCall
from tools_app.models.tool_call import NEWEST_FIRST
from tools_app.usage import left_of

from .hours import chart_of
from .signed_in import USAGE, MyView

PAGE = 25
"""Calls on one page."""
MOST_KEYS = 20
"""Whose limits are shown: those that were used last."""
LONGEST_NUMBER = 18
"""Digits; a database's numbers have no more."""
CALLED = {"calls": "All MCP requests", API.name: "REST requests and changes on these pages"}
PER = {"s": "a second", "m": "a minute", "h": "an hour", "d": "a day"}


class UsageView(MyView):
    section = USAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        before = request.GET.get("before", "")
        calls = calls_of(self.user, before)
        return self.page(
            "usage",
            chart=None if before else chart_of(self.user),
            limits=[] if before else [*self._limits()],
            calls=calls[:PAGE],
            older=calls[PAGE - 1].pk if len(calls) > PAGE else None,
            before=before,
        )

    def _limits(self) -> Iterator[dict[str, Any]]:
        buckets = (*self.principal.buckets, Bucket(API, self.principal.owner))
        for left in left_of(buckets, self.principal):
            name = f"Calls of {left['tool']}" if left["tool"] else CALLED.get(left["limit"], left["limit"])
            yield shown(name, left["rate"], left["remaining"], left["resets_after"])
        yield from limits_of_keys(self.user)


def limits_of_keys(user: User) -> Iterator[dict[str, Any]]:
    keys = user.api_keys.valid().exclude(last_used_at=None).select_related("user").order_by("-last_used_at")
    buckets = {Bucket(key.own_limit(), key.credential): key for key in keys[:MOST_KEYS]}
    for usage in state.usage_now(list(buckets)):
        name = f"The key {buckets[usage.bucket].name}"
        yield shown(name, usage.bucket.limit.rate, usage.remaining, usage.resets_after)


def shown(name: str, rate: str, remaining: int, resets_after: float) -> dict[str, Any]:
    most, _, unit = rate.partition("/")
    most = most.partition(" ")[0]
    return {
        "name": name,
        "most": int(most),
        "per": PER.get(unit) or rate.partition(" ")[2],
        "used": int(most) - remaining,
        "remaining": remaining,
        "seconds": ceil(resets_after),
    }


def calls_of(user: User, before: str) -> list[ToolCall]:
    """A page of them and one more; those that came before one of them, or else the newest."""
    calls = ToolCall.objects.of(user)
    if before:
        last = calls.filter(pk=int(before)).first() if is_number(before) else None
        calls = calls.none() if last is None else calls.older_than(last)
    found = list(calls.order_by(*NEWEST_FIRST)[: PAGE + 1])
    for call in found:
        call.name, call.client_name = visible(call.name), visible(call.client_name)
    return found


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
