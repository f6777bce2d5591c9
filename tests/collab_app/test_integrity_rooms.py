"""Checks of rooms: silent about what their methods leave, and each says what is wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collab_app import integrity
from collab_app.models import Membership, Message, Room, SharedState
from sessions_app.models import User
from tests.collab_app.rooms import past, say
from tools_app.integrity import checks, findings_of

OURS = ("numbered", "owned", "left", "measured")


def findings() -> dict[str, list[str]]:
    found = {name: findings_of(getattr(integrity, name)) for name in OURS}
    return {name: sentences for name, sentences in found.items() if sentences}


def test_they_are_among_the_server_s() -> None:
    assert {getattr(integrity, name) for name in OURS} <= set(checks.values())


def test_what_methods_leave_is_sound(room: Room, alice: User, bob: User, dora: User) -> None:
    for number in range(3):
        room.post(alice, f"{number}")
    room.state.set("plan", {"ä": "🏠\u0000"}, alice)
    room.state.set("null", None, bob)
    room.invite(dora, alice)
    room.leave(alice)
    past(bob)
    Room.objects.start(bob, "Nothing said")
    closed = Room.objects.start(bob, "Closed")
    closed.invite(dora, bob)
    closed.close()
    assert findings() == {}


def fewer(room: Room) -> Any:
    Room.objects.filter(pk=room.pk).update(last_sequence=4)
    return f"Room {room.pk} is at message 4, and there are 5 messages from 1 to 5"


def more(room: Room) -> Any:
    Room.objects.filter(pk=room.pk).update(last_sequence=6)
    return f"Room {room.pk} is at message 6, and there are 5 messages from 1 to 5"


def gap(room: Room) -> Any:
    room.messages.filter(sequence=3).delete()
    return f"Room {room.pk} is at message 5, and there are 4 messages from 1 to 5"


def shifted(room: Room) -> Any:
    room.messages.filter(sequence=3).update(sequence=0)
    return f"Room {room.pk} is at message 5, and there are 5 messages from 0 to 5"


def all_gone(room: Room) -> Any:
    Message.objects.all().delete()
    return f"Room {room.pk} is at message 5, and there are 0 messages from 1 to 0"


@pytest.mark.parametrize("spoil", [fewer, more, gap, shifted, all_gone])
def test_wrong_numbers_are_found(room: Room, alice: User, spoil: Callable[[Room], str]) -> None:
    say(room, alice, 5)
    sentence = spoil(room)
    with CaptureQueriesContext(connection) as queries:
        assert findings() == {"numbered": [sentence]}
    assert len(queries) == len(OURS)


def test_a_room_that_is_being_deleted_is_not_missed(alice: User) -> None:
    room = past(alice)
    room.messages.all().delete()
    assert findings() == {}


def test_an_open_room_without_an_owner_is_found(room: Room) -> None:
    room.memberships.update(role=Membership.Role.MEMBER)
    sentence = f"Room {room.pk} is open, and nobody in it owns it"
    assert findings() == {"owned": [sentence]}
    room.memberships.all().delete()
    assert findings() == {"owned": [sentence]}


def test_who_is_in_a_closed_room_is_found(room: Room, alice: User) -> None:
    membership = room.member(alice)
    room.close()
    Membership.objects.filter(pk=membership.pk).update(left_at=None)
    assert findings() == {
        "left": [f"Membership {membership.pk} is of room {room.pk}, which is closed, and was not ended"]
    }


def test_sizes_that_are_not_those_of_the_text_are_found(room: Room, alice: User) -> None:
    state = room.state.set("plan", "ä🏠", alice)
    assert state.size == 8
    SharedState._default_manager.update(size=4)
    assert findings() == {"measured": [f"Shared state {state.pk} says 4 bytes, and has 8"]}
