"""What one socket may do to others: nothing. Messages that are none, too many, too large, unread; and the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sessions_app.models import Session, User
from sessions_app.pool import identity_pool
from sessions_app.state import state
from sessions_app.state.memory import MemoryState
from sessions_app.transport import carrier, inbox, socket, sockets, work
from sessions_app.transport.ends import ends
from sessions_app.transport.guard import LARGEST_MESSAGE
from sessions_app.transport.sockets import sockets as all_sockets
from tests.conftest import key_for
from tests.socket import SocketWire, dial
from tests.wire import Wire, until

OPEN = {"2026-07-28": SocketWire.open, "2025-11-25": SocketWire.shake_hands}


@pytest.fixture
def key(wire: Wire) -> str:
    assert wire.key
    return wire.key


@pytest.fixture(params=OPEN)
async def client(key: str, request: pytest.FixtureRequest) -> AsyncIterator[SocketWire]:
    opened = await OPEN[request.param](key)
    await opened.ask("tools/list")
    yield opened
    await opened.leave()


# --- Messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", -32700),
        ("{", -32700),
        ('{"a": 1, "a": 2}', -32700),
        ("[]", -32600),
        ('[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        ('"ping"', -32600),
        ('{"jsonrpc": "2.0", "id": 1}', -32600),
        ('{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        ('{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
        ('{"jsonrpc": "2.0", "id": 7, "method": "ping", "params": []}', -32602),
        ("[" * 5000, -32700),
    ],
)
async def test_what_is_no_message_is_refused_and_the_socket_goes_on(
    client: SocketWire, text: str, code: int
) -> None:
    client.line.messages.clear()
    client.line.send(text)
    refused = await client.line.message(lambda message: "error" in message)
    assert (refused["id"], refused["error"]["code"]) == (None, code)
    assert (await client.call("echo", {"text": "on"})).text == "on"


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/cancelled"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": None}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 999}},
        {"jsonrpc": "2.0", "method": "no/such/thing"},
        {"jsonrpc": "2.0", "id": "nobody-asked", "result": {}},
    ],
)
async def test_what_is_no_request_is_never_answered(client: SocketWire, message: dict[str, Any]) -> None:
    client.line.messages.clear()
    client.line.send(message)
    await client.call("echo", {"text": "on"})
    assert len(client.line.messages) == 1


async def test_a_binary_frame_ends_it(client: SocketWire) -> None:
    client.line.send(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}')
    assert (await client.line.over())[0] == 1003


async def test_a_message_that_is_too_large_ends_it(client: SocketWire) -> None:
    client.line.send("x" * (LARGEST_MESSAGE + 1))
    assert (await client.line.over())[0] == 1009


async def test_whoever_does_not_listen_is_not_listened_to(
    client: SocketWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "MOST_REFUSED", 20)
    for _ in range(15):
        client.line.send("{")
    await client.call("echo", {"text": "x"})  # one that is let in begins the count anew
    for _ in range(30):
        client.line.send("{")
    assert (await client.line.over())[0] == 1008


@pytest.mark.parametrize("says", [None, "{", '{"jsonrpc": "2.0", "method": "notifications/initialized"}'])
async def test_a_socket_that_opens_no_session_is_closed(
    key: str, monkeypatch: pytest.MonkeyPatch, says: str | None
) -> None:
    monkeypatch.setattr(inbox, "SLOWEST_OPENING", 0.1)
    line = await dial(key).opened()
    if says is not None:
        line.send(says)
    assert await line.over() == (1008, "No session was opened in time")
    assert not await Session.objects.aexists()


# --- Eras -----------------------------------------------------------------------------------------

INITIALIZE = {"protocolVersion": "2025-11-25", "clientInfo": {"name": "x", "version": "1"}, "capabilities": {}}


async def test_the_first_request_decides(key: str) -> None:
    modern = await SocketWire.open(key)
    await modern.ask("tools/list")
    modern.is_stateless = False
    refused = (await modern.ask("initialize", INITIALIZE)).error
    assert (refused["code"], refused["data"]) == (-32022, {"supported": ["2026-07-28"], "requested": "2025-11-25"})
    assert (await modern.ask("tools/list")).error["code"] == -32602  # without its envelope
    older = await SocketWire.shake_hands(key)
    older.is_stateless = True
    assert (await older.ask("tools/list")).error["code"] == -32600
    older.is_stateless = False
    assert (await older.ask("initialize", INITIALIZE)).error["code"] == -32600
    assert "tools" in (await older.ask("tools/list")).result
    for client in (modern, older):
        await client.leave()


async def test_who_must_shake_hands_and_does_not_is_told(key: str) -> None:
    client = await SocketWire.open(key)
    client.is_stateless = False
    assert "initialize" in (await client.ask("tools/list")).error["message"]
    assert (await client.ask("initialize", {})).error["code"] == -32602
    assert (await client.ask("initialize", INITIALIZE)).result["protocolVersion"] == "2025-11-25"
    await client.leave()


async def test_what_follows_the_handshake_at_once_finds_its_session(key: str) -> None:
    client = await SocketWire.open(key)
    client.is_stateless = False
    first, second = client.begin("initialize", INITIALIZE), client.begin("tools/list")
    assert (await client.answer_to(first)).result["protocolVersion"] == "2025-11-25"
    assert "tools" in (await client.answer_to(second)).result
    await client.leave()


# --- Work -----------------------------------------------------------------------------------------


async def test_many_calls_run_side_by_side(client: SocketWire) -> None:
    slow = [client.calling("wait", {"seconds": 0.2}) for _ in range(10)]
    async with asyncio.timeout(1):
        assert (await client.call("echo", {"text": "first"})).text == "first"
        for called in slow:
            await client.answer_to(called)


async def test_no_more_is_read_than_is_worked_on(client: SocketWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MOST", 4)
    slow = [client.calling("wait", {"seconds": 0.1}) for _ in range(8)]
    await until(lambda: waiting_calls() == 4)
    for _ in range(20):
        await asyncio.sleep(0)  # as often as the others would have needed
    assert waiting_calls() == 4
    assert [(await client.answer_to(called)).text for called in slow] == ["waited"] * 8


async def test_a_reader_that_is_too_slow_is_cut_off(client: SocketWire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.1)
    client.line.stop_reading()
    called = client.calling("echo", {"text": "x"})
    await until(is_hung_up)
    client.line.end(1006)  # as uvicorn says it when the connection is dropped
    await client.line.over()
    assert called not in [message.get("id") for message in client.line.messages]
    async with asyncio.timeout(5):
        while (row := await Session.objects.aget()).ended_at is None:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
    assert row.end_reason == "The client did not read"


def is_hung_up() -> bool:
    return any(not held._carrier.is_open for held in all_sockets._open)  # type: ignore[attr-defined]


# --- How many there may be ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "status"), [("MOST", 503), ("MOST_OF_ONE", 429), ("MOST_OF_NETWORK", 429)])
async def test_there_is_room_for_so_many(
    key: str, bob: User, monkeypatch: pytest.MonkeyPatch, name: str, status: int
) -> None:
    monkeypatch.setattr(sockets, name, 2)
    held = [await dial(key).opened() for _ in range(2)]
    refused = await dial(key).opened()
    assert (refused.answer.status, refused.answer.headers["retry-after"]) == (status, "60")
    his, elsewhere = await identity_pool.run(lambda: key_for(bob)), ("192.0.2.7", 5)
    other = await dial(his, client=elsewhere).opened()
    assert other.answer.status == (503 if name == "MOST" else 101)
    await other.leave()
    await held[0].leave()
    again = await dial(key).opened()
    assert again.answer.status == 101
    for line in (*held[1:], again):
        await line.leave()
    assert not all_sockets._of


# --- A server that stops --------------------------------------------------------------------------


async def test_an_idle_socket_is_told_to_go_elsewhere(client: SocketWire) -> None:
    all_sockets.close()
    assert await client.line.over() == (1012, "The server stops; connect again")


async def test_a_busy_one_is_answered_first(client: SocketWire, key: str) -> None:
    called = client.calling("wait", {"seconds": 0.1})
    await until(is_waiting)
    all_sockets.close()
    refused = (await client.ask("tools/list")).error
    assert refused == {"code": -32603, "message": "The server is stopping.", "data": {"retryAfterMs": 1000}}
    assert (await client.answer_to(called)).text == "waited"
    assert (await client.line.over())[0] == 1012
    assert (await dial(key).opened()).answer.status == 503


def is_waiting() -> bool:
    return waiting_calls() > 0


def waiting_calls() -> int:
    assert isinstance(state, MemoryState)
    return sum(operation.name == "wait" for runs in state._running.values() for _, operation in runs.values())


async def test_a_subscription_ends_with_its_result(key: str) -> None:
    client = await SocketWire.open(key)
    listening = client.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    await client.line.told("notifications/subscriptions/acknowledged")
    ends.close()
    all_sockets.close()
    assert (await client.answer_to(listening)).result["resultType"] == "complete"
    assert (await client.line.over())[0] == 1012


async def test_who_is_cut_off_in_mid_work_is_told_so(client: SocketWire) -> None:
    """uvicorn cancels what is left when the time to stop is over."""
    called = client.calling("wait", {"seconds": 4})
    await client.call("echo", {"text": "x"})
    client.line.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.line.task
    reply = await client.line.reply_to(called)
    assert reply["error"]["message"] == "The server stopped before this was done."
    assert client.line.close == (1012, "The server stops; connect again")
