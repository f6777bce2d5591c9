"""One client, all that a handshake-era session can do, each request at another process than the one before."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from .client import Client, Lost, Wrong

HEARD_WITHIN = 5.0
"""Seconds. What a GET stream has to say arrives in a few milliseconds; this is for a busy machine."""


class Stream:
    """The session's GET stream, opened again when it breaks; and what it said."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.opened = asyncio.Event()
        self._heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            with suppress(Lost):
                async for message in self._client.listen(self.opened):
                    await self._heard.put((message["method"], (message.get("params") or {}).get("uri", "")))
            await asyncio.sleep(0.2)

    async def opens(self) -> None:
        """Raises: Wrong if it does not."""
        await self._before_long(self.opened.wait(), "the stream was not opened")

    async def hears(self, method: str, uri: str = "") -> None:
        """Raises: Wrong if it does not come."""
        await self._before_long(self._hear((method, uri)), f"{method} {uri} was not heard")

    async def _hear(self, expected: tuple[str, str]) -> None:
        while await self._heard.get() != expected:
            pass

    async def _before_long(self, coming: Coroutine[Any, Any, Any], otherwise: str) -> None:
        waiting = asyncio.create_task(coming)
        await asyncio.wait([waiting, self._task], timeout=HEARD_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            if self._task.done():
                self._task.result()  # it says why
            raise Wrong(otherwise)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def work(client: Client, number: int) -> None:
    """What has to succeed even while processes are killed, if what failed is repeated."""
    tools = await client.ask("tools/list")
    expect("echo" in {tool["name"] for tool in tools["tools"]}, tools)
    expect(await client.call("echo", text=str(number)) == str(number), number)
    expect(await client.call("count", to=3) == "counted to 3", number)
    expect(client.progress == [1, 2, 3], f"progress: {client.progress}")
    expect(await client.call("ask", text=str(number)) == f"{number}: yes", "elicitation")


async def hear(client: Client, stream: Stream, number: int) -> None:
    """What a GET stream, held by one process, says of changes made in another."""
    uri = f"shop://items/{number}"
    await client.ask("resources/subscribe", {"uri": uri})
    await client.call("touch", uri=uri)
    await stream.hears("notifications/resources/updated", uri)
    await client.ask("resources/unsubscribe", {"uri": uri})
    await client.call("promote", on=number % 2 == 0)
    await stream.hears("notifications/tools/list_changed")


def expect(is_right: bool, what: Any) -> None:
    if not is_right:
        raise Wrong(str(what))
