"""What goes wrong around a socket: a database that is away, a fault of ours, a client that is slow but reads."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from sessions_app.models import Session
from sessions_app.pool import background_pool, identity_pool
from sessions_app.refusals import refusals
from sessions_app.transport import carrier, presence, socket
from sessions_app.transport.ends import ends
from sessions_app.transport.sockets import sockets
from tests.socket import SocketWire, dial
from tests.wire import Wire, until


@pytest.fixture
def key(wire: Wire) -> str:
    assert wire.key
    return wire.key


async def test_a_socket_outlives_the_silence_of_its_row(key: str, quick: None) -> None:
    """Its server could not note for minutes that it is there; it is there all the same."""
    client = await SocketWire.open(key)
    await client.ask("tools/list")
    await Session.objects.aupdate(last_activity_at=timezone.now() - timedelta(minutes=10))
    await until(lambda: ends._sweeping is not None)
    presence.forget()
    assert (await client.call("echo", {"text": "here"})).text == "here"
    async with asyncio.timeout(5):
        while not await Session.objects.live().aexists():  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
    await client.leave()


@pytest.mark.parametrize(("fault", "answered"), [(OperationalError("away"), True), (RuntimeError("ours"), False)])
async def test_a_session_that_cannot_be_opened(
    key: str, monkeypatch: pytest.MonkeyPatch, fault: Exception, answered: bool
) -> None:
    async def fail(*arguments: Any) -> Session:
        raise fault

    client = await SocketWire.open(key)
    with monkeypatch.context() as patch:
        patch.setattr(presence, "opened", fail)
        if answered:
            assert (await client.ask("tools/list")).error["message"] == "The database is not available."
            assert list(refusals._counted.values()) == [1]
        else:
            client.begin("tools/list")
            with pytest.raises(RuntimeError):
                await client.line.over()
            assert client.line.close == (1011, "The server failed")
            return
    assert "tools" in (await client.ask("tools/list")).result
    await client.leave()


async def test_what_comes_before_a_session_is_counted(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "MOST_REFUSED", 10)
    line = await dial(key).opened()
    for _ in range(20):
        line.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (await line.over())[0] == 1008
    assert line.messages == []


async def test_who_reads_slowly_but_reads_is_not_cut_off(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message is waited for by itself, however many are in front of it."""
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.3)
    client = await SocketWire.open(key)
    await client.ask("tools/list")
    client.line.stop_reading()
    called = [client.calling("echo", {"text": "x"}) for _ in range(8)]
    for _ in called:
        await asyncio.sleep(0.1)
        client.line.read_one()
    client.line.read_on()
    assert [(await client.answer_to(one)).text for one in called] == ["x"] * 8
    await client.leave()


async def test_sessions_end_though_one_attempt_failed(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await SocketWire.open(key), await SocketWire.open(key)
    for client in (first, second):
        await client.ask("tools/list")
    with monkeypatch.context() as patch:
        patch.setattr(background_pool, "later", lambda job: None)
        await first.leave()
    await second.leave()
    async with asyncio.timeout(5):
        while await Session.objects.filter(ended_at=None).aexists():  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
    assert {row.end_reason async for row in Session.objects.all()} == {"by the client"}


async def test_whatever_interrupts_its_end_nothing_is_left(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await SocketWire.open(key)
    await client.ask("tools/list")
    (held,) = sockets._open

    async def forever() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(held._work, "done", forever)  # type: ignore[attr-defined]
    client.line.end(1000)
    await asyncio.sleep(0)
    await until(lambda: not sockets._open)
    client.line.task.cancel()
    await client.line.over()
    assert not ends._calls
    assert not ends._listeners
    await identity_pool.run(lambda: None)


async def test_sockets_leave_streams_their_room(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sessions_app.transport import places

    monkeypatch.setattr(places, "MOST_OF_ONE", 2)
    clients = [await SocketWire.open(key) for _ in range(3)]
    for client in clients[:2]:
        client.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        await client.line.told("notifications/subscriptions/acknowledged")
    wanted = {"notifications": {"toolsListChanged": True}}
    assert "Too many open streams" in (await clients[2].ask("subscriptions/listen", wanted)).error["message"]
    for client in clients:
        await client.leave()
