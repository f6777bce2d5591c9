"""What a client over WebSocket is told when its server is gone, and how it leaves one that hangs or floods."""

import asyncio
import json
import re
import textwrap
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp import Client
from mcp.client.session import IncomingMessage
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from project.config import BASE_DIR
from sessions_app import client as module
from sessions_app.client import SocketClosed, SocketRefused, websocket
from sessions_app.models import ApiKey, User
from sessions_app.pool import identity_pool
from tests.conftest import key_for
from tests.process import Process
from tests.wire import until

from .conftest import Start
from .test_websocket_client import ws

NEW = "2026-07-28"


@pytest.fixture
def key(alice: User) -> str:
    return key_for(alice)


async def revoke() -> None:
    row = await ApiKey.objects.aget()
    await identity_pool.run(lambda: row.revoke("lost"))


async def test_a_subscription_that_is_lost_says_why(served: str, key: str) -> None:
    async def follow() -> None:
        client = Client(websocket(ws(served), token=key))
        async with client, client.listen(tools_list_changed=True) as changes:
            await revoke()
            async for _ in changes:
                pass

    with pytest.raises(SocketClosed) as closed:
        await follow()
    assert closed.value.code == 4401


async def test_whoever_handles_messages_is_told_as_it_happens(served: str, key: str) -> None:
    heard: asyncio.Queue[IncomingMessage] = asyncio.Queue()

    async def hear(message: IncomingMessage) -> None:
        await heard.put(message)

    async with Client(websocket(ws(served), token=key), message_handler=hear) as client:
        await client.list_tools()
        await revoke()
        closed = await asyncio.wait_for(heard.get(), 5)
    assert isinstance(closed, SocketClosed)
    assert (closed.code, closed.reason) == (4401, "The credential is not valid any more")


@asynccontextmanager
async def stranger(handle: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """The URL of a server that is none of ours, and behaves worse."""
    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol("mcp")], close_timeout=0.1) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_who_is_cancelled_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSING", 0.1)

    async def hang(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with stranger(hang) as url:
        before = asyncio.all_tasks()
        with anyio.move_on_after(0.1) as waiting:
            async with Client(websocket(url), mode=NEW) as client:
                await client.list_tools()
        assert waiting.cancelled_caught
        left = [str(task.get_coro()) for task in asyncio.all_tasks() - before]
        assert not [name for name in left if "receive" in name or "send" in name]


async def test_it_leaves_at_once_while_much_arrives() -> None:
    noise = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 1000}})

    async def flood(connection: ServerConnection) -> None:
        for _ in range(1000):
            await connection.send(noise)

    async with stranger(flood) as url, websocket(url) as (incoming, _):
        assert isinstance(incoming, MemoryObjectReceiveStream)
        await until(lambda: incoming.statistics().current_buffer_used == module.BOUND)
        began = time.monotonic()
    assert time.monotonic() - began < module.CLOSING / 2


async def test_what_is_no_websocket_is_said_to_be_none() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="opened no WebSocket"):
            async with websocket(f"ws://127.0.0.1:{port}"):
                pass


async def list_until_closed(client: Client, process: Process) -> None:
    process.popen.terminate()
    while True:
        await client.list_tools()


@pytest.mark.process
async def test_a_server_that_stops_says_so(start_again: Start) -> None:
    process = start_again()
    with pytest.raises(SocketClosed) as closed:
        async with Client(websocket(ws(process.url), token=process.key)) as client:
            await list_until_closed(client, process)
    assert closed.value.code == 1012


PRINTED = re.search(r"```python\n(while True:.*?)```", (BASE_DIR / "docs/websocket.md").read_text(), re.DOTALL)


@pytest.mark.process
async def test_the_loop_that_is_printed_connects_again(start_again: Start) -> None:
    process = start_again()
    visits: list[str] = []

    def restart() -> None:
        process.popen.wait(30)
        start_again(PORT=process.port)

    async def work(client: Client) -> None:
        visits.append(client.protocol_version)
        if len(visits) == 1:
            restarting.append(asyncio.create_task(asyncio.to_thread(restart)))
            await list_until_closed(client, process)

    restarting: list[asyncio.Task[None]] = []
    async with asyncio.timeout(60):
        await printed_loop()(ws(process.url), process.key, work)
    await restarting[0]
    assert visits == [NEW, NEW]


async def test_the_loop_that_is_printed_does_not_insist(served: str, key: str) -> None:
    async def work(client: Client) -> None:
        await revoke()
        while True:
            await client.list_tools()

    for reason in (SocketClosed, SocketRefused):
        with pytest.raises(reason):
            await printed_loop()(ws(served), key, work)


def printed_loop() -> Callable[..., Awaitable[None]]:
    assert PRINTED is not None
    body = f"async def loop(url, token, work):\n{textwrap.indent(PRINTED[1], '    ')}"
    names: dict[str, Any] = {}
    exec(f"import asyncio, random\nfrom mcp import Client\nfrom {module.__name__} import *\n{body}", names)
    loop: Callable[..., Awaitable[None]] = names["loop"]
    return loop
