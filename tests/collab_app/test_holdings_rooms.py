"""What rooms hold about a person, for his own copy of it."""

from typing import Any

import pytest

from collab_app.models import Room
from sessions_app.holding import holdings
from sessions_app.models import User

pytestmark = pytest.mark.alike


def held(user: User) -> dict[str, list[dict[str, Any]]]:
    return {name: found.page(user, 0) for name, found in holdings.items() if name.startswith("room")}


def test_all_that_somebody_did_in_rooms_is_his_to_read(room: Room, alice: User, bob: User, dora: User) -> None:
    message = room.post(bob, "mine", client="Claude Code", key="secret-key")
    room.state.set("plan", {"b": 1, "a": 2}, bob, client="Claude Code")
    room.attend(bob, "Claude Code")
    room.post(alice, "canary-alice")
    room.state.set("hers", "canary-alice", alice)
    room.attend(alice)
    room.invite(dora, bob)
    found = held(bob)
    assert {name: len(rows) for name, rows in found.items()} == {
        "rooms": 0, "room-memberships": 1, "room-messages": 1, "room-state": 1, "room-attendances": 1,
    }  # fmt: skip
    of_room = {"room__public_id": "design", "room__name": "Design"}
    assert found["room-messages"] == [
        {"pk": message.pk, **of_room, "sequence": 1, "text": "mine", "client": "Claude Code",
         "posted_at": message.posted_at}
    ]  # fmt: skip
    [state] = found["room-state"]
    assert (state["key"], state["value"], list(state["value"])) == ("plan", {"b": 1, "a": 2}, ["b", "a"])
    [membership] = found["room-memberships"]
    assert {**membership, **of_room, "role": "member", "last_read": 1} == membership
    assert membership["joined_at"] is not None
    assert "canary" not in str(found)
    assert "secret-key" not in str(found)


def test_rooms_are_of_who_began_them(room: Room, alice: User, bob: User) -> None:
    [begun] = held(alice)["rooms"]
    assert (begun["public_id"], begun["name"], begun["closed_at"]) == ("design", "Design", None)
    assert [holdings["rooms"].count(user) for user in (alice, bob)] == [1, 0]
