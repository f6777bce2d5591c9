"""A TCP proxy that spoils what it passes on, as networks do: late, slowly, not at all, or by breaking off."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

CHUNK = 64 * 1024
MOST_HELD = 16
"""Chunks on their way, beyond which a sender's bytes stay in the kernel's buffers, and he waits."""
DRIP = 0.05
"""Seconds between two bits of what passes slowly."""
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: close with RST, and no FIN."""


@dataclass(eq=False)
class End:
    """One side of a connection through the proxy."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reset(self) -> None:
        with suppress(OSError):
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.writer.transport.abort()

    def say_no_more(self) -> None:
        with suppress(OSError, RuntimeError):
            self.writer.write_eof()


@dataclass(eq=False)
class Link:
    """A connection through the proxy."""

    client: End
    server: End | None = None
    passing: asyncio.Task[None] | None = None

    def reset(self) -> None:
        self.stop()
        for end in (self.client, self.server):
            if end is not None:
                end.reset()

    def stop(self) -> None:
        """Pass on nothing more."""
        if self.passing is not None:
            self.passing.cancel()


class FaultProxy:
    """In a thread of its own. What is wrong counts for connections that are open already, too; `heal` ends it.

    delay       everything arrives so many seconds late
    throttle    so many bytes a second pass, each way and for each connection
    black_hole  connections are accepted, and nothing passes; what was sent arrives when it is healed
    reset       connections break with RST, new ones as soon as they are made
    half_close  the client is told that nothing more comes (FIN), and may go on sending, which nobody reads
    refuse      nobody listens: new connections are refused, and those that are open go on
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        """In front of what listens there."""
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._links: set[Link] = set()
        self._delay = 0.0
        self._rate = 0.0
        self._flows = asyncio.Event()
        self._flows.set()
        self._breaks = self._closes_halves = False
        self._listener: asyncio.Server | None = None
        self.port = 0
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._thread.start()
        self._do(self._listen())

    def heal(self) -> None:
        self._do(self._become())

    def delay(self, seconds: float) -> None:
        self._do(self._become(delay=seconds))

    def throttle(self, bytes_per_second: float) -> None:
        self._do(self._become(rate=bytes_per_second))

    def black_hole(self) -> None:
        self._do(self._become(flows=False))

    def reset(self) -> None:
        self._do(self._become(breaks=True))

    def half_close(self) -> None:
        self._do(self._become(closes_halves=True))

    def refuse(self) -> None:
        self._do(self._become(listens=False))

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # --- In its thread ---

    async def _become(
        self,
        *,
        delay: float = 0.0,
        rate: float = 0.0,
        flows: bool = True,
        breaks: bool = False,
        closes_halves: bool = False,
        listens: bool = True,
    ) -> None:
        self._delay, self._rate = delay, rate
        self._breaks, self._closes_halves = breaks, closes_halves
        (self._flows.set if flows else self._flows.clear)()
        for link in tuple(self._links):
            if breaks:
                link.reset()
            elif closes_halves:
                link.stop()
        await (self._listen if listens else self._hang_up_on_new)()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._take, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _hang_up_on_new(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    async def _end(self) -> None:
        await self._hang_up_on_new()
        for link in tuple(self._links):
            link.reset()
        while self._links:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        link = Link(End(reader, writer))
        self._links.add(link)
        try:
            if self._breaks:
                link.reset()
            elif not self._closes_halves:
                link.passing = self._loop.create_task(self._pass_both_ways(link))
                await asyncio.wait([link.passing])
                if not link.passing.cancelled() and link.passing.exception() is not None:
                    link.reset()
            if self._closes_halves:
                await self._swallow(link.client)
        finally:
            writer.close()
            self._links.discard(link)

    async def _swallow(self, client: End) -> None:
        client.say_no_more()
        with suppress(OSError):
            while await client.reader.read(CHUNK):
                pass

    async def _pass_both_ways(self, link: Link) -> None:
        await self._flows.wait()
        link.server = server = End(*await asyncio.open_connection(*self._target))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass_on(link.client, server))
                tasks.create_task(self._pass_on(server, link.client))
        finally:
            server.writer.close()

    async def _pass_on(self, source: End, sink: End) -> None:
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_HELD)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_from(source, held))
            tasks.create_task(self._give_to(sink, held))

    async def _take_from(self, source: End, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        data = b"something"
        while data:  # the last is b"": there is no more
            try:
                data = await source.reader.read(CHUNK)
            except OSError:
                await self._flows.wait()  # that it broke off is news that has to pass, too
                raise
            await held.put((self._loop.time(), data))

    async def _give_to(self, sink: End, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        while True:
            taken_at, data = await held.get()
            await asyncio.sleep(max(0.0, taken_at + self._delay - self._loop.time()))
            await self._flows.wait()
            if not data:
                sink.say_no_more()
                return
            while data:
                size = len(data)
                if self._rate:
                    await asyncio.sleep(DRIP)
                    size = max(1, int(self._rate * DRIP))
                sink.writer.write(data[:size])
                await sink.writer.drain()
                data = data[size:]


@contextmanager
def fault_proxy(port: int) -> Iterator[FaultProxy]:
    """In front of what listens at this port of 127.0.0.1."""
    proxy = FaultProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
