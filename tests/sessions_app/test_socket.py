"""MCP over WebSocket: one socket, its era, its session, and its end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sessions_app.models import ApiKey, Session
from sessions_app.pool import identity_pool
from sessions_app.transport.bus import bus
from tests.socket import SocketWire, dial
from tests.wire import Wire

pytestmark = pytest.mark.alike


OPEN = {"2026-07-28": SocketWire.open, "2025-11-25": SocketWire.shake_hands}


@pytest.fixture(params=list(OPEN))
async def client(wire: Wire, request: Any) -> AsyncIterator[SocketWire]:
    """alice's, of each era in turn."""
    assert wire.key
    opened = await OPEN[request.param](wire.key)
    yield opened
    await opened.leave()


@pytest.fixture
async def socket(wire: Wire) -> AsyncIterator[SocketWire]:
    """alice's client of 2026-07-28."""
    assert wire.key
    client = await SocketWire.open(wire.key)
    yield client
    await client.leave()


@pytest.fixture
async def older(wire: Wire) -> AsyncIterator[SocketWire]:
    """A client of the handshake era."""
    assert wire.key
    client = await SocketWire.shake_hands(wire.key)
    yield client
    await client.leave()


async def test_a_client_of_2026_07_28_is_served(socket: SocketWire) -> None:
    assert (await socket.ask("server/discover")).result["supportedVersions"] == ["2026-07-28"]
    names = {tool["name"] for tool in (await socket.ask("tools/list")).result["tools"]}
    assert "echo" in names
    assert (await socket.call("echo", {"text": "hi"})).result["structuredContent"] == {"result": "hi"}


async def test_a_client_of_the_handshake_era_is_served(older: SocketWire) -> None:
    names = {tool["name"] for tool in (await older.ask("tools/list")).result["tools"]}
    assert "echo" in names
    assert (await older.call("echo", {"text": "hi"})).result["structuredContent"] == {"result": "hi"}


async def test_progress_comes_before_the_result(client: SocketWire) -> None:
    called = client.calling("count", {"to": 2}, progressToken="p1")
    await client.line.reply_to(called)
    *progress, last = client.line.messages[-3:]
    assert [note["params"]["progress"] for note in progress] == [1, 2]
    assert last["result"]["structuredContent"] == {"result": "counted to 2"}


async def test_a_cancelled_call_is_stopped_and_not_answered(client: SocketWire) -> None:
    slow = client.calling("wait", {"seconds": 4})
    client.cancel(slow)
    await client.call("echo", {"text": "after"})
    assert slow not in [message.get("id") for message in client.line.messages]


async def test_the_server_asks_its_client(older: SocketWire) -> None:
    called = older.calling("ask", {"text": "sure?"})
    asked = await older.line.told("elicitation/create")
    older.reply(asked["id"], {"action": "accept", "content": {"sure": True}})
    assert (await older.answer_to(called)).result["structuredContent"] == {"result": "sure?: yes"}


async def test_a_subscription_is_told_and_left(socket: SocketWire) -> None:
    listening = socket.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    await socket.line.told("notifications/subscriptions/acknowledged")
    from mcp.shared.subscriptions import ToolsListChanged

    bus.publish(ToolsListChanged())
    told = await socket.line.told("notifications/tools/list_changed")
    assert told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == listening
    socket.cancel(listening)
    await socket.ask("server/discover")


async def test_the_session_lives_as_long_as_the_socket(wire: Wire) -> None:
    assert wire.key
    client = await SocketWire.open(wire.key)
    assert not await identity_pool.run(Session.objects.count)
    await client.ask("tools/list")
    session = await identity_pool.run(Session.objects.get)
    assert (session.transport, session.protocol_version, session.ended_at) == ("websocket", "2026-07-28", None)
    await client.leave()
    async with asyncio.timeout(5):
        while (await Session.objects.aget()).ended_at is None:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
    assert (await Session.objects.aget()).end_reason == "by the client"


async def test_an_operator_ends_it(socket: SocketWire) -> None:
    await socket.ask("tools/list")
    session = await identity_pool.run(Session.objects.get)
    await identity_pool.run(lambda: session.end("by alice"))
    assert await socket.line.over() == (4403, "The session has ended")


async def test_a_revoked_key_closes_it(socket: SocketWire) -> None:
    await socket.ask("tools/list")
    key = await identity_pool.run(ApiKey.objects.get)
    await identity_pool.run(lambda: key.revoke("lost"))
    assert await socket.line.over() == (4401, "The credential is not valid any more")


async def test_a_bad_credential_is_refused_before_it_opens(db_for_threads: None) -> None:
    line = await dial("cgk_nobody").opened()
    assert (line.answer.status, line.answer.error["message"]) == (401, "The credential is not valid.")
