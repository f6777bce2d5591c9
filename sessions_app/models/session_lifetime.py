"""How long a session lasts by the clock. Whether somebody ended it is another question."""

from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

HTTP, WEBSOCKET = "http", "websocket"
"""How a session's messages come."""
IDLE_LIFETIME, LIFETIME = timedelta(hours=24), timedelta(days=30)
"""How long a session is kept for a client that sends nothing and holds no stream open; and however busy it is."""
SOCKET_SILENCE = timedelta(minutes=3)
"""A socket's session lasts as long as the socket, and its server notes once a minute that both are there."""


def end_of_life() -> datetime:
    return timezone.now() + LIFETIME


def longest_silence(transport: str) -> timedelta:
    return SOCKET_SILENCE if transport == WEBSOCKET else IDLE_LIFETIME


def lasting(moment: datetime) -> Q:
    """Those whose time was not over at `moment`."""
    is_heard_of = ~Q(transport=WEBSOCKET) | Q(last_activity_at__gt=moment - SOCKET_SILENCE)
    return is_heard_of & Q(expires_at__gt=moment, last_activity_at__gt=moment - IDLE_LIFETIME)


def deserted() -> Q:
    """Of those whose time is over: sockets that fell silent before that, so their server did not close them."""
    return Q(transport=WEBSOCKET, expires_at__gt=F("last_activity_at") + SOCKET_SILENCE)
