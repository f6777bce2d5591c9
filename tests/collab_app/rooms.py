"""Rooms as tests of what keeps them want them."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from collab_app.models import Message, Room
from sessions_app.models import User

DAY = timedelta(days=1)


def canary(field: str) -> str:
    return f"\"'><script>{field}</script>"


def ago(length: timedelta) -> Any:
    return timezone.now() - length


def full_of_canaries(owner: User) -> Room:
    """Whatever somebody can write in a room has one."""
    room = Room.objects.start(owner, canary("room-name"), "canaries")
    room.post(owner, canary("message-text"), client=canary("message-client"), key=canary("message-key"))
    room.state.set(canary("state-key"), {canary("inner-key"): canary("state-value")}, owner)
    return room


def say(room: Room, author: User, number: int) -> None:
    """So many messages, faster than one by one."""
    first = room.last_sequence + 1
    Message.objects.bulk_create(
        Message(room=room, sequence=sequence, author=author, text=f"said {sequence}")
        for sequence in range(first, first + number)
    )
    room.last_sequence += number
    room.save(update_fields=["last_sequence"])


def past(owner: User, public_id: str = "past") -> Room:
    """Closed long ago, with something of each kind in it."""
    room = Room.objects.start(owner, "Past", public_id)
    room.post(owner, "long ago")
    room.state.set("plan", [1], owner)
    room.attend(owner)
    room.close()
    Room.objects.filter(pk=room.pk).update(closed_at=ago(91 * DAY))
    room.attendances.update(seen_at=ago(91 * DAY))
    return room
