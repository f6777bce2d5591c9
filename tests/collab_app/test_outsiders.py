"""To who is not in it a room is not there: every action, resource, socket and endpoint answers as for none."""

import json
from typing import Any

import pytest

from collab_app.models import Room
from sessions_app.models import User
from sessions_app.pool import identity_pool
from tests.clients import CLIENTS, Client
from tests.collab_app.pages import begin, in_thread
from tests.conftest import key_for
from tests.rest import NO_BODY, Rest
from tests.socket import SocketWire

pytestmark = pytest.mark.alike


def never_in(room: Room, alice: User, bob: User) -> None:
    pass


def has_left(room: Room, alice: User, bob: User) -> None:
    room.join(alice)
    room.leave(alice)


def was_removed(room: Room, alice: User, bob: User) -> None:
    room.join(alice)
    room.remove(alice, by=bob)


def declined(room: Room, alice: User, bob: User) -> None:
    room.invite(alice, by=bob)
    room.leave(alice)


OUTSIDERS = [never_in, has_left, was_removed, declined]


@pytest.fixture(params=OUTSIDERS)
def secret(request: pytest.FixtureRequest, alice: User, bob: User) -> Room:
    """bob's, by invitation, with something in it; alice is out of it in one way or another."""
    room = Room.objects.start(bob, "Secret", "secret", by_invitation=request.param in (never_in, declined))
    room.post(bob, "Among us")
    room.state.set("plan", "hidden", bob)
    request.param(room, alice, bob)
    return room


def alike(told: Any, unknown: Any) -> None:
    """But for the id that was asked for."""
    assert str(told).replace("secret", "nowhere") == str(unknown)
    assert "hidden" not in str(told)
    assert "Among us" not in str(told)


ACTIONS: list[dict[str, Any]] = [
    {"action": "leave"},
    {"action": "message", "message": "Hello"},
    {"action": "state"},
    {"action": "state", "afterSequence": 0},
    {"action": "state", "stateKey": "plan"},
    {"action": "state", "stateKey": "plan", "stateValue": 1},
    {"action": "state", "stateKey": "plan", "stateValue": 1, "expectedVersion": 0},
    {"action": "state", "stateKey": "plan", "removeState": True},
    {"action": "invite", "username": "alice"},
    {"action": "remove", "username": "bob"},
]


@pytest.mark.parametrize("era", CLIENTS)
async def test_every_action(secret: Room, alice: User, era: str, recorded: Any) -> None:
    client: Client = await CLIENTS[era](await identity_pool.run(lambda: key_for(alice)))
    actions = ACTIONS if secret.by_invitation is False else [*ACTIONS, {"action": "join"}]
    for arguments in actions:
        told, unknown = [
            await client.call("collaboration", {**arguments, "roomId": room}) for room in ("secret", "nowhere")
        ]
        assert told.result["isError"], arguments
        alike(told.result["content"], unknown.result["content"])
    for path in ("", "/messages", "/messages/0", "/state/plan"):
        told, unknown = [
            await client.ask("resources/read", {"uri": f"room://{room}{path}"}) for room in ("secret", "nowhere")
        ]
        alike(json.dumps(told.error), json.dumps(unknown.error))
    assert await secret.messages.acount() == 1
    if isinstance(client, SocketWire):
        await client.leave()


ENDPOINTS: list[tuple[str, str, Any]] = [
    ("GET", "", NO_BODY),
    ("POST", "leave/", NO_BODY),
    ("GET", "messages/", NO_BODY),
    ("GET", "messages/?after=0", NO_BODY),
    ("POST", "messages/", {"text": "Hello"}),
    ("POST", "members/", {"username": "alice"}),
    ("DELETE", "members/bob/", NO_BODY),
    ("GET", "export/", NO_BODY),
    ("GET", "state/", NO_BODY),
    ("GET", "state/plan/", NO_BODY),
    ("PUT", "state/plan/", {"value": 1}),
    ("DELETE", "state/plan/", NO_BODY),
]


def test_every_endpoint(secret: Room, alice: User, charlie: User) -> None:
    for rest in (Rest(key_for(alice)), Rest(key_for(charlie))):
        for method, path, data in ENDPOINTS:
            told, unknown = (
                rest.ask(method, f"rooms/{room}/{path}", data).everything for room in ("secret", "nowhere")
            )
            alike(told, unknown)
            assert told[0] == 404
    assert (secret.messages.count(), secret.state.get("plan").value) == (1, "hidden")


async def test_the_socket(secret: Room, alice: User, charlie: User) -> None:
    for user in (alice, charlie):
        told, unknown = [(await begin(user, room)).answer for room in ("secret", "nowhere")]
        alike(told.body, unknown.body)
        assert told.status == unknown.status == 404


async def test_whoever_was_removed_does_not_come_back_by_himself(room: Room, alice: User, bob: User) -> None:
    await in_thread(room.remove, bob, by=alice)
    client = await CLIENTS["2026-07-28"](await identity_pool.run(lambda: key_for(bob)))
    answer = await client.call("collaboration", {"action": "join", "roomId": "design"})
    assert answer.text == "Room design not found"
