"""What this app has to end or delete in time: rooms that nobody needs any more, and what was said in them."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from sessions_app.chores import chore

from .models import Attendance, Membership, Message, Room, SharedState
from .models.room_queryset import RoomQuerySet

A_WHILE = timedelta(days=1)
"""After that nobody asks any more who was here."""


def close_empty(rooms: RoomQuerySet) -> None:
    """Asked once more, as they are locked now: somebody may have joined just before, whom the lock did not see."""
    rooms.empty().close()


@chore("rooms with nobody in them, now closed", do=close_empty)
def empty_rooms() -> QuerySet[Room]:
    return Room.objects.empty()


@chore("idle rooms, now closed", do=RoomQuerySet.close)
def idle_rooms() -> QuerySet[Room]:
    return Room.objects.idle()


# Before the rooms, of which these rows are parts: each of a thousand could take a million with it.
@chore("messages of rooms that were closed long ago")
def old_messages() -> QuerySet[Message]:
    return Message.objects.filter(room__in=Room.objects.past())


@chore("shared state of rooms that were closed long ago")
def old_state() -> QuerySet[SharedState]:
    return SharedState._default_manager.filter(room__in=Room.objects.past())


@chore("memberships of rooms that were closed long ago")
def old_memberships() -> QuerySet[Membership]:
    return Membership.objects.filter(room__in=Room.objects.past())


# Those of closed rooms are among them.
@chore("who was seen in a room, a day later")
def old_attendances() -> QuerySet[Attendance]:
    return Attendance.objects.filter(seen_at__lte=timezone.now() - A_WHILE)


@chore("rooms that were closed long ago")
def old_rooms() -> QuerySet[Room]:
    return Room.objects.past()
