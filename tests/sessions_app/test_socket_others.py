"""Ids route, and only within a socket: nobody hears, answers, cancels or continues what is another's."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from mcp.shared.subscriptions import ResourceUpdated

from sessions_app.models import Session, User
from sessions_app.pool import identity_pool
from sessions_app.transport.bus import bus
from tests.conftest import key_for
from tests.shop import tools as shop
from tests.socket import SocketWire
from tests.wire import Durable, Wire

OPEN = {"2026-07-28": SocketWire.open, "2025-11-25": SocketWire.shake_hands}
WHOSE = ["another user", "another key", "the same key"]


@pytest.fixture(params=WHOSE)
async def two(
    wire: Wire, alice: User, bob: User, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[SocketWire, SocketWire]]:
    """Two sockets of the handshake era: alice's, and one of somebody else's."""
    assert wire.key
    other = wire.key
    if request.param != "the same key":
        owner = bob if request.param == "another user" else alice
        other = await identity_pool.run(lambda: key_for(owner))
    pair = (await SocketWire.shake_hands(wire.key), await SocketWire.shake_hands(other))
    yield pair
    for client in pair:
        await client.leave()


async def test_one_does_not_cancel_another_s(two: tuple[SocketWire, SocketWire]) -> None:
    mine, his = two
    shop.finished.clear()
    running = mine.calling("wait", {"seconds": 0.2, "name": "mine"})
    his.cancel(running)
    await his.ask("ping")
    assert (await mine.answer_to(running)).text == "waited"


async def test_one_does_not_answer_another_s(two: tuple[SocketWire, SocketWire]) -> None:
    mine, his = two
    called = mine.calling("ask", {"text": "Tea"})
    question = await mine.line.told("elicitation/create")
    his.reply(question["id"], {"action": "accept", "content": {"sure": False}})
    await his.ask("ping")
    mine.reply(question["id"], {"action": "accept", "content": {"sure": True}})
    assert (await mine.answer_to(called)).text == "Tea: yes"


async def test_one_does_not_hear_another_s(two: tuple[SocketWire, SocketWire]) -> None:
    mine, his = two
    await mine.ask("resources/subscribe", {"uri": "shop://menu"})
    bus.publish(ResourceUpdated("shop://menu"))
    await mine.line.told("notifications/resources/updated")
    await his.ask("ping")
    assert [message for message in his.line.messages if message.get("method")] == []


async def test_one_does_not_set_another_s_log_level(two: tuple[SocketWire, SocketWire]) -> None:
    mine, _his = two
    await mine.ask("logging/setLevel", {"level": "emergency"})
    assert {row.log_level async for row in Session.objects.all()} == {"emergency", ""}


async def test_a_log_level_counts_from_the_next_call_on(wire: Wire) -> None:
    assert wire.key
    client = await SocketWire.shake_hands(wire.key)
    await client.ask("logging/setLevel", {"level": "emergency"})
    await client.call("chatter")
    assert "notifications/message" not in [message.get("method") for message in client.line.messages]
    await client.leave()


@pytest.mark.parametrize("era", OPEN)
async def test_a_socket_s_session_is_unknown_over_http(wire: Wire, era: str) -> None:
    assert wire.key
    client = await OPEN[era](wire.key)
    await client.ask("tools/list")
    row = await Session.objects.aget()
    known, unknown = [
        await Durable(wire.key, session_id=name).ask("tools/list") for name in (row.public_id, "x" * 43)
    ]
    assert (known.status, known.headers, known.body) == (unknown.status, unknown.headers, unknown.body)
    assert (await Durable(wire.key, session_id=row.public_id).delete()).status == 404
    assert (await client.ask("tools/list")).status == 200
    await client.leave()


async def test_over_http_the_same_client_has_a_session_of_its_own(wire: Wire) -> None:
    assert wire.key
    first, second = await SocketWire.open(wire.key), await SocketWire.open(wire.key)
    for client in (first, second, wire):
        await client.ask("tools/list")
    assert await Session.objects.live().acount() == 3
    for socket in (first, second):
        await socket.leave()
    assert (await wire.ask("tools/list")).status == 200


@pytest.mark.parametrize("era", OPEN)
async def test_the_same_ids_on_many_sockets_do_not_meet(wire: Wire, alice: User, bob: User, era: str) -> None:
    keys = [wire.key, *[await identity_pool.run(lambda: key_for(bob)) for _ in range(2)]]
    clients = [await OPEN[era](key) for key in keys * 4 if key]

    async def talk(number: int, client: SocketWire) -> None:
        for turn in range(10):
            text = f"{number}/{turn}"
            if turn % 3:
                assert (await client.call("echo", {"text": text}, progressToken=1)).text == text
            else:
                assert (await client.call("count", {"to": 2}, progressToken=1)).text == "counted to 2"
        ids = [message["id"] for message in client.line.messages if "result" in message]
        assert len(ids) == len(set(ids))

    async with asyncio.TaskGroup() as tasks:
        for number, client in enumerate(clients):
            tasks.create_task(talk(number, client))
    for client in clients:
        progress = [message for message in client.line.messages if message.get("method")]
        assert len(progress) == 4 * 2  # of its own four countings, and no other's
        await client.leave()


@pytest.mark.parametrize("era", OPEN)
async def test_an_id_is_one_request_s_until_that_is_done(wire: Wire, era: str) -> None:
    assert wire.key
    client = await OPEN[era](wire.key)
    message = client.request("tools/call", {"name": "wait", "arguments": {"seconds": 0.1}})
    client.line.send(message)
    client.line.send(message)
    client.line.send({**message, "id": str(message["id"])})  # another id
    refused, first, text = [await client.line.message(lambda said, n=n: said is nth(client, n)) for n in range(3)]
    assert refused["error"]["message"] == "A request of that id is still running."
    assert [said["result"]["content"][0]["text"] for said in (first, text)] == ["waited"] * 2
    client.line.messages.clear()
    client.line.send(message)
    assert (await client.answer_to(message["id"])).text == "waited"
    await client.leave()


def nth(client: SocketWire, number: int) -> object:
    replies = [message for message in client.line.messages if "id" in message and message["id"] not in (0,)]
    replies = [reply for reply in replies if "protocolVersion" not in reply.get("result", {})]
    return replies[number] if len(replies) > number else None
