"""What is said in a room, and in which order."""

import pytest

from collab_app.exceptions import RoomRefused, TooMuch
from collab_app.models import Room
from sessions_app.models import User
from tests.bounds import bounded


def test_messages_are_numbered_as_they_come(room: Room, alice: User, bob: User) -> None:
    for user, text in ((alice, "one"), (bob, "two"), (alice, "three")):
        room.post(user, text, client="Claude Code")
    told = [(message.sequence, message.author_name, message.text) for message in room.messages.after(0, 10)]
    assert told == [(1, "alice", "one"), (2, "bob", "two"), (3, "alice", "three")]
    assert [message.sequence for message in room.messages.after(1, 1)] == [2]
    assert [message.sequence for message in room.messages.before(3, 1)] == [2]
    assert [message.sequence for message in room.messages.latest_ones(2)] == [2, 3]


def test_what_is_sent_again_is_said_once(room: Room, alice: User, bob: User) -> None:
    first = room.post(alice, "Hello", key="k1")
    room.post(bob, "Hello", key="k1")  # another author's key is another key
    again = Room.objects.get().post(alice, "Hello", key="k1")
    assert (again.pk, again.sequence) == (first.pk, 1)
    assert room.messages.count() == 2


def test_a_key_stands_for_one_text(room: Room, alice: User) -> None:
    room.post(alice, "Hello", key="k1")
    with pytest.raises(RoomRefused, match="idempotency key"):
        room.post(alice, "Goodbye", key="k1")


def test_a_message_has_bounds(room: Room, alice: User) -> None:
    with bounded(message_bytes=4):
        room.post(alice, "ää")
        with pytest.raises(TooMuch, match="message-bytes: 4"):
            room.post(alice, "äää")
    for text, key in (("", ""), (" \n", ""), ("a\x00", ""), ("a", "k" * 129), ("a", "\x00")):
        with pytest.raises(RoomRefused):
            room.post(alice, text, key=key)
    room.refresh_from_db()
    assert room.last_sequence == 1, "what is refused has no number"
