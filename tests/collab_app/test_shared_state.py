"""Values that the members of a room share."""

import pytest

from collab_app.exceptions import RoomNotFound, RoomRefused, StateConflict, StateNotFound, TooMuch
from collab_app.models import Room
from sessions_app.models import User
from tests.bounds import bounded


@pytest.mark.parametrize("value", [None, 0, -0.0, 1e22, "", "ä", [], {"b": 1, "a": [None]}, True])
def test_any_json_value_is_kept_as_it_is(room: Room, alice: User, value: object) -> None:
    room.state.set("plan", value, alice)
    assert repr(room.state.get("plan").value) == repr(value)


def test_it_says_who_set_it_and_by_what(room: Room, alice: User) -> None:
    room.state.set("plan", 1, alice, client="Claude Code")
    told = room.state.get("plan").as_dict()
    assert (told["changed_by"], told["client"], told["value"]) == ("alice", "Claude Code", 1)


def test_whoever_expects_another_version_is_told_what_is_there(room: Room, alice: User, bob: User) -> None:
    first = room.state.set("plan", 1, alice, expected_version=0)
    second = room.state.set("plan", 2, bob, expected_version=first.version)
    assert second.version > first.version
    with pytest.raises(StateConflict) as refused:
        room.state.set("plan", 3, alice, expected_version=first.version)
    assert (refused.value.value, refused.value.version) == (2, second.version)
    with pytest.raises(StateConflict):
        room.state.set("plan", 3, alice, expected_version=0)
    with pytest.raises(StateConflict) as refused:
        room.state.set("other", 3, alice, expected_version=second.version)
    assert (refused.value.value, refused.value.version) == (None, 0)


def test_a_version_never_comes_again(room: Room, alice: User) -> None:
    first = room.state.set("plan", 1, alice)
    room.state.remove("plan", alice, expected_version=first.version)
    with pytest.raises(StateNotFound):
        room.state.get("plan")
    with pytest.raises(StateNotFound):
        room.state.remove("plan", alice)
    room.state.set("plan", 1, alice)
    with pytest.raises(StateConflict):
        room.state.set("plan", 2, alice, expected_version=first.version)


def test_only_members_set_or_remove(room: Room, alice: User, dora: User) -> None:
    room.state.set("plan", 1, alice)
    with pytest.raises(RoomNotFound):
        room.state.set("plan", 2, dora)
    with pytest.raises(RoomNotFound):
        room.state.remove("plan", dora)


def test_it_has_bounds(room: Room, alice: User) -> None:
    with bounded(room_keys=2, state_bytes=10):
        room.state.set("a", "12345", alice)  # seven bytes as JSON
        with pytest.raises(TooMuch, match="state-bytes: 10"):
            room.state.set("b", "12345", alice)
        room.state.set("a", "12345678", alice)
        room.state.set("a", 1, alice)
        room.state.set("b", 1, alice)
        with pytest.raises(TooMuch, match="room-keys: 2"):
            room.state.set("c", 1, alice)
    for key in ("", "k" * 129, "\x00"):
        with pytest.raises(RoomRefused):
            room.state.set(key, 1, alice)


def test_what_is_there_stays_when_a_bound_is_lowered(room: Room, alice: User) -> None:
    for key in ("a", "b"):
        room.state.set(key, "12345", alice)
    with bounded(room_keys=1, state_bytes=4):
        room.state.set("a", "1234", alice)
        with pytest.raises(TooMuch):
            room.state.set("a", "123456", alice)
