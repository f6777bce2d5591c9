"""Rooms as resources: who lists, reads, completes and follows them."""

import json
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError

from collab_app.models import Room
from collab_app.rosters import rosters
from sessions_app.models import Preference, Subscription, User
from sessions_app.pool import identity_pool
from tests.clients import Client
from tests.collab_app.pages import in_thread
from tests.conftest import key_for, wire_for
from tests.socket import SocketWire
from tests.wire import Durable, Exchange, Wire, until
from tools_app.registry import registry
from tools_app.signals import PREFERENCES

pytestmark = pytest.mark.usefixtures("attached")

ROOM, MESSAGES, PLAN = "room://design", "room://design/messages", "room://design/state/plan"


async def read(client: Client, uri: str) -> Any:
    answer = await client.ask("resources/read", {"uri": uri})
    [content] = answer.result["contents"]
    return json.loads(content["text"])


async def test_a_member_lists_and_reads_his_rooms(
    client: Client, room: Room, others_room: Room, bob: User
) -> None:
    await in_thread(lambda: [room.post(bob, f"{number}") for number in range(1, 151)])
    await in_thread(lambda: room.state.set("a/b ä", [1], bob))
    listed = (await client.ask("resources/list")).result["resources"]
    assert [(each["uri"], each["title"]) for each in listed if each["uri"].startswith("room:")] == [
        (ROOM, "Design")
    ]
    about = await read(client, ROOM)
    assert (about["name"], about["lastSequence"], len(about["participants"])) == ("Design", 150, 2)
    assert about["sharedState"][0]["key"] == "a/b ä"
    newest = await read(client, MESSAGES)
    assert [message["sequence"] for message in newest["messages"]] == list(range(51, 151))
    first = await read(client, f"{MESSAGES}/0")
    assert ([message["sequence"] for message in first["messages"]], first["hasMore"]) == (
        list(range(1, 101)),
        True,
    )
    rest = await read(client, first["next"])
    assert ([message["sequence"] for message in rest["messages"]], rest["hasMore"]) == (
        list(range(101, 151)),
        False,
    )
    assert (await read(client, f"{ROOM}/state/a%2Fb%20%C3%A4"))["value"] == [1]


@pytest.mark.parametrize("rest", ["", "/messages", "/messages/0", "/state/plan"])
async def test_to_others_a_room_is_not_there(client: Client, others_room: Room, rest: str) -> None:
    hidden = (await client.ask("resources/read", {"uri": f"room://secret{rest}"})).error
    unknown = (await client.ask("resources/read", {"uri": f"room://nowhere{rest}"})).error
    assert json.dumps(hidden).replace("secret", "nowhere") == json.dumps(unknown)


@pytest.mark.parametrize(
    "uri", [f"{MESSAGES}/x", f"{MESSAGES}/-1", f"{MESSAGES}/{'9' * 30}", f"{ROOM}/state/none"]
)
async def test_what_a_room_does_not_have_is_not_there(client: Client, room: Room, uri: str) -> None:
    assert (await client.ask("resources/read", {"uri": uri})).error["code"] in (-32602, -32002)


async def test_ids_and_keys_are_completed_for_members_only(
    client: Client, room: Room, others_room: Room, alice: User
) -> None:
    await in_thread(lambda: room.state.set("plan", 1, alice))
    other = await in_thread(Room.objects.start, alice, "Another", "other")
    await in_thread(lambda: other.state.set("plot", 1, alice))
    complete = partial(completed, client)
    assert await complete("room://{roomId}", "roomId", "") == ["design", "other"]
    assert await complete("room://{roomId}/messages", "roomId", "s") == []
    assert await complete("room://{roomId}/state/{key}", "key", "pl") == ["plan", "plot"]
    assert await complete("room://{roomId}/state/{key}", "key", "pl", {"roomId": "design"}) == ["plan"]
    assert await complete("room://{roomId}/state/{key}", "key", "", {"roomId": "secret"}) == []


async def completed(
    client: Client, uri: str, name: str, value: str, context: dict[str, str] | None = None
) -> list[str]:
    params: dict[str, Any] = {
        "ref": {"type": "ref/resource", "uri": uri},
        "argument": {"name": name, "value": value},
    }
    if context is not None:
        params["context"] = {"arguments": context}
    values: list[str] = (await client.ask("completion/complete", params)).result["completion"]["values"]
    return values


# --- Following ---


class Ear:
    """A client that was told to listen, of either era on either wire."""

    def __init__(self, client: Client, stream: Exchange | None = None, *, is_of_session: bool = False) -> None:
        self.client = client
        self.stream = stream
        self.is_of_session = is_of_session
        """Its subscriptions are rows, and its stream goes on without them."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        if self.stream is not None:
            return self.stream.answer.messages
        assert isinstance(self.client, SocketWire)
        return self.client.line.messages

    @property
    def updates(self) -> list[str]:
        told = (message for message in self.messages if message.get("method") == "notifications/resources/updated")
        return [message["params"]["uri"] for message in told]

    @property
    def methods(self) -> list[str]:
        return [message["method"] for message in self.messages if "method" in message]

    async def until(self, condition: Any) -> None:
        await until(condition)

    async def leave(self) -> None:
        if self.stream is not None:
            self.stream.leave()
            await self.stream.wait()
        if isinstance(self.client, SocketWire):
            await self.client.leave()


async def listen(key: str, era: str, *uris: str) -> Ear:
    wanted = {"notifications": {"resourceSubscriptions": list(uris), "resourcesListChanged": True}}
    if era == "2026-07-28":
        wire = Wire(key)
        stream = wire.open(wire.request("subscriptions/listen", wanted))
        await stream.wait_for("acknowledged")
        return Ear(wire, stream)
    if era == "2025-11-25":
        durable = await Durable.open(key)
        for uri in uris:
            assert (await durable.ask("resources/subscribe", {"uri": uri})).status == 200
        return Ear(durable, await durable.get(), is_of_session=True)
    if era == "websocket 2026-07-28":
        socket = await SocketWire.open(key)
        socket.begin("subscriptions/listen", wanted)
        ear = Ear(socket)
        await ear.until(lambda: "notifications/subscriptions/acknowledged" in ear.methods)
        return ear
    socket = await SocketWire.shake_hands(key)
    for uri in uris:
        assert "result" in (await socket.ask("resources/subscribe", {"uri": uri})).messages[-1]
    return Ear(socket, is_of_session=True)


ERAS = ["2026-07-28", "2025-11-25", "websocket 2026-07-28", "websocket 2025-11-25"]


@pytest.fixture(params=ERAS)
async def ear(request: pytest.FixtureRequest, room: Room, bob: User, recorded: Any) -> AsyncIterator[Ear]:
    """bob's, who follows all of the room."""
    key = await identity_pool.run(lambda: key_for(bob))
    opened = await listen(key, request.param, ROOM, MESSAGES, PLAN)
    yield opened
    await opened.leave()


async def test_a_member_hears_of_each_change(ear: Ear, room: Room, alice: User, dora: User) -> None:
    await in_thread(lambda: room.post(alice, "Hello"))
    await ear.until(lambda: {ROOM, MESSAGES} <= set(ear.updates))
    assert PLAN not in ear.updates
    await in_thread(lambda: room.state.set("plan", 1, alice))
    await ear.until(lambda: PLAN in ear.updates)
    heard = ear.updates.count(ROOM)
    await in_thread(lambda: room.join(dora))
    await ear.until(lambda: ear.updates.count(ROOM) > heard)


async def test_what_is_sent_again_is_told_again(ear: Ear, room: Room, alice: User) -> None:
    """The process that took it may have been killed before it told anybody."""
    await in_thread(lambda: room.post(alice, "Hello", key="k1"))
    await ear.until(lambda: MESSAGES in ear.updates)
    heard = ear.updates.count(MESSAGES)
    await in_thread(lambda: room.post(alice, "Hello", key="k1"))
    await ear.until(lambda: ear.updates.count(MESSAGES) > heard)


async def test_whoever_is_removed_hears_nothing_more(ear: Ear, room: Room, alice: User, bob: User) -> None:
    await in_thread(lambda: room.remove(bob, by=alice))
    await ear.until(lambda: is_over(ear) or "notifications/resources/list_changed" in ear.methods)
    before = len(ear.updates)
    await in_thread(lambda: room.post(alice, "Among us"))
    assert len(ear.updates) == before
    assert not await Subscription.objects.aexists()
    if not ear.is_of_session:
        await ear.until(lambda: is_over(ear))


def is_over(ear: Ear) -> bool:
    """A subscription of 2026-07-28 ends when its client may not follow all of it any more."""
    return (ear.stream is not None and ear.stream.task.done()) or "notifications/cancelled" in ear.methods


async def test_a_room_that_is_opened_under_an_old_id_is_another_s(ear: Ear, room: Room, dora: User) -> None:
    await in_thread(room.close)
    again = await in_thread(Room.objects.start, dora, "Another", "design")
    before = len(ear.updates)
    await in_thread(lambda: again.post(dora, "Hello"))
    assert len(ear.updates) == before


@pytest.mark.parametrize("era", ERAS)
async def test_whoever_joins_is_told_that_his_list_changed(
    era: str, room: Room, dora: User, bob: User, recorded: Any
) -> None:
    ear = await listen(await identity_pool.run(lambda: key_for(dora)), era)
    other = await listen(await identity_pool.run(lambda: key_for(bob)), era)
    await in_thread(lambda: room.join(dora))
    await ear.until(lambda: "notifications/resources/list_changed" in ear.methods)
    assert "notifications/resources/list_changed" not in other.methods
    for each in (ear, other):
        await each.leave()


async def test_an_outsider_follows_nothing(room: Room, dora: User, recorded: Any) -> None:
    wire = await wire_for(dora)
    stream = wire.open(
        wire.request("subscriptions/listen", {"notifications": {"resourceSubscriptions": [ROOM, MESSAGES, PLAN]}})
    )
    await stream.wait_for("acknowledged")
    [acknowledged] = stream.answer.messages
    assert "resourceSubscriptions" not in acknowledged["params"]["notifications"]
    stream.leave()
    await stream.wait()
    durable = await Durable.open(wire.key)
    hidden = (await durable.ask("resources/subscribe", {"uri": ROOM})).error
    unknown = (await durable.ask("resources/subscribe", {"uri": "room://nowhere"})).error
    assert json.dumps(hidden).replace("design", "nowhere") == json.dumps(unknown)


@pytest.mark.parametrize("era", ERAS)
async def test_a_moment_without_the_database_ends_no_subscription(
    era: str, room: Room, alice: User, bob: User, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = await listen(await identity_pool.run(lambda: key_for(bob)), era, ROOM, MESSAGES)
    is_asked = threading.Event()

    def away(public_ids: set[str]) -> Any:
        is_asked.set()
        raise OperationalError("away for a moment")

    with monkeypatch.context() as patched:
        patched.setattr("collab_app.rosters.rosters_of", away)
        rosters.forget()
        await in_thread(lambda: room.post(alice, "Hello"))
        await in_thread(is_asked.wait, 5)
    await ear.until(lambda: {ROOM, MESSAGES} <= set(ear.updates))
    await ear.leave()


@pytest.mark.parametrize("uri", [f"{MESSAGES}/0", "room://des%69gn"])
async def test_what_is_never_told_is_not_subscribed_to(wire: Wire, room: Room, uri: str) -> None:
    assert (await wire.ask("resources/read", {"uri": uri})).result["contents"]
    durable = await Durable.open(wire.key)
    assert (await durable.ask("resources/subscribe", {"uri": uri})).error["code"] == -32002


async def test_an_answer_has_bounds(client: Client, room: Room, alice: User) -> None:
    await in_thread(lambda: [room.post(alice, "x" * 16_000) for _ in range(40)])
    first = await read(client, f"{MESSAGES}/0")
    assert 10 < len(first["messages"]) < 20
    assert first["hasMore"]
    rest = await read(client, first["next"])
    assert rest["messages"][0]["sequence"] == first["lastSequence"] + 1


async def test_a_check_that_crashes_ends_no_stream_but_its_own(
    wire: Wire, room: Room, alice: User, bob: User, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wire.key
    mine = await listen(wire.key, "2026-07-28", PREFERENCES)
    his = await listen(await identity_pool.run(lambda: key_for(bob)), "2026-07-28", ROOM)

    async def crash(*args: Any, **kwargs: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(registry.resources["room"], "may_follow", crash)
    await his.until(lambda: is_over(his))
    await in_thread(Preference.objects.put, alice.pk, "tea", 1)
    await mine.until(lambda: PREFERENCES in mine.updates)
    await mine.leave()
