"""Times as the viewer's clock has them: a script on every page says in a cookie which zone that is."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import cache
from inspect import iscoroutinefunction
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

COOKIE = "timezone"
LONGEST_NAME = 64
NOT_A_PLACE = frozenset({"Factory", "localtime"})
"""Files among those of the zones, of which a database may know nothing."""
API = "/api/"

Response = HttpResponseBase
Middleware = Callable[[HttpRequest], Response | Awaitable[Response]]


@sync_and_async_middleware
def viewers_zone(get_response: Middleware) -> Middleware:
    """What is shown is in the zone of whoever looks. What machines read stays in UTC."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> Response:
            with in_zone_of(request):
                return await cast(Awaitable[Response], get_response(request))

        return asynchronous

    def synchronous(request: HttpRequest) -> Response:
        with in_zone_of(request):
            return cast(Response, get_response(request))

    return synchronous


def in_zone_of(request: HttpRequest) -> AbstractContextManager[None]:
    name = "" if request.path.startswith(API) else request.COOKIES.get(COOKIE, "")
    return timezone.override(zone_called(name))


def zone_called(name: str) -> ZoneInfo | None:
    """None, which is the server's (UTC), for what is no zone's name: anybody may send any cookie."""
    return ZoneInfo(name) if len(name) <= LONGEST_NAME and name in zones() else None


@cache
def zones() -> frozenset[str]:
    """A look into a few hundred files, once. Only what is in it is ever made the name of one."""
    return frozenset(available_timezones()) - NOT_A_PLACE
