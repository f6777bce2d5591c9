"""Those who listen are told that a tool went or came back, however they listen, and nobody else is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sessions_app.models import User
from sessions_app.pool import identity_pool
from tests.conftest import wire_for
from tests.sessions_app.conftest import durable_for
from tests.socket import SocketWire
from tools_app.models import ToolPolicy

from .decisions import Change, behind_our_back, decide, off, on


class Ear:
    """Somebody who listens for changes of lists, in one of the ways that there are."""

    def __init__(self, wait: Callable[[], Any], leave: Callable[[], Any]) -> None:
        self.wait = wait
        self.leave = leave


async def over_get(user: User) -> Ear:
    stream = await (await durable_for(user)).get()
    return stream_ear(stream)


async def over_listen(user: User) -> Ear:
    wire = await wire_for(user)
    stream = wire.open(wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    await stream.wait_for("acknowledged")
    return stream_ear(stream)


def stream_ear(stream: Any) -> Ear:
    async def wait() -> None:
        await stream.wait_for("notifications/tools/list_changed")
        stream.answer.body = b""

    async def leave() -> None:
        stream.leave()
        await stream.wait()

    return Ear(wait, leave)


async def over_socket(user: User) -> Ear:
    client = await SocketWire.open((await wire_for(user)).key or "")
    client.begin("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    await client.line.told("notifications/subscriptions/acknowledged")
    return socket_ear(client)


async def over_old_socket(user: User) -> Ear:
    client = await SocketWire.shake_hands((await wire_for(user)).key or "")
    await client.ask("tools/list")
    return socket_ear(client)


def socket_ear(client: SocketWire) -> Ear:
    async def wait() -> None:
        await client.line.told("notifications/tools/list_changed")
        client.line.messages.clear()

    return Ear(wait, client.leave)


EARS = [over_get, over_listen, over_socket, over_old_socket]


@pytest.fixture(params=EARS)
async def ear(request: pytest.FixtureRequest, alice: User, recorded: Any, quick: None) -> AsyncIterator[Ear]:
    opened = await request.param(alice)
    yield opened
    await opened.leave()


async def test_listeners_are_told_that_a_tool_went_and_came_back(ear: Ear, attached: None) -> None:
    for change in (off("echo"), on("echo"), off("echo")):
        await identity_pool.run(change)
        await ear.wait()


async def test_listeners_are_told_of_what_actions_change(ear: Ear, attached: None) -> None:
    await identity_pool.run(on("echo"))
    await identity_pool.run(lambda: ToolPolicy.objects.filter(tool="echo").switch_off())
    await ear.wait()
    await identity_pool.run(lambda: ToolPolicy.objects.filter(tool="echo").switch_on())
    await ear.wait()
    await identity_pool.run(off("echo"))
    await ear.wait()
    await identity_pool.run(lambda: ToolPolicy.objects.all().delete())
    await ear.wait()


async def test_listeners_are_told_of_what_sql_changes(ear: Ear) -> None:
    """There is no bus, and nobody calls: the sweep finds it."""
    await identity_pool.run(behind_our_back("echo"))
    await ear.wait()


@pytest.mark.parametrize("change", [off("restock"), decide("echo", rate="9/h", timeout=9)])
async def test_only_those_are_told_whose_lists_changed(
    alice: User, recorded: Any, attached: None, quick: None, change: Change
) -> None:
    """Not of a tool that he may not use anyway, nor of another rate."""
    stream = await (await durable_for(alice)).get()
    await identity_pool.run(change)
    await asyncio.sleep(0.2)  # some sweeps
    assert b"list_changed" not in stream.answer.body
    await identity_pool.run(off("echo"))
    await stream.wait_for("notifications/tools/list_changed")
    assert stream.answer.body.count(b"list_changed") == 1
    stream.leave()
    await stream.wait()
