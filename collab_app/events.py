"""What is told of rooms, after the commit: numbers, never content. Whoever hears it looks in the database."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from mcp.shared.subscriptions import ResourceUpdated

from sessions_app.models import Subscription
from sessions_app.transport.bus import bus
from sessions_app.transport.events import AuthorityChanged, OwnListChanged, event

if TYPE_CHECKING:
    from .models import Room

LIST_CHANGED = "notifications/resources/list_changed"


@event
@dataclass(frozen=True)
class MessagePosted:
    room_id: int
    sequence: int


@event
@dataclass(frozen=True)
class StateChanged:
    room_id: int
    revision: int


@event
@dataclass(frozen=True)
class MembersChanged:
    """Somebody was invited, came or went; or the room was closed."""

    room_id: int


@event
@dataclass(frozen=True)
class AttendanceChanged:
    """Somebody is here who was not."""

    room_id: int


def changed(told: Any, *uris: str) -> None:
    """Tell it to browsers, and `resources/updated` of these URIs to MCP clients."""
    for each in (told, *(ResourceUpdated(uri) for uri in uris)):
        transaction.on_commit(partial(bus.publish, each))


def members_changed(room: "Room", *users: int) -> None:
    """What these users may see is another: their lists change, and what is not theirs any more ends."""
    changed(MembersChanged(room.pk), room.uri)
    for user in users:
        transaction.on_commit(partial(bus.publish, OwnListChanged(LIST_CHANGED, user)))
    # Open streams look after what they may follow when they hear this.
    transaction.on_commit(partial(bus.publish, AuthorityChanged()))
    ended = Q(uri=room.uri) | Q(uri__startswith=f"{room.uri}/")
    present = room.memberships.present().filter(user__in=users).values_list("user_id", flat=True)
    Subscription.objects.filter(ended, session__user__in=set(users).difference(present)).delete()
