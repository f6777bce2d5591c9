"""One connection to Redis, shared by all who run on an event loop.

What is sent within a turn of the loop leaves in one write, and replies are handed over as they arrive: a pool
would take a connection, two tasks and a system call for each command. redis-py connects and signs in, and reads no
further: its streams and parser took a tenth of a call's time here.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any

from hiredis import PushNotification, Reader, pack_command
from redis._parsers.base import BaseParser
from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import InvalidResponse, RedisError

from sessions_app.deadline import TICK, watch
from sessions_app.request_ids import of_nobody

PATIENCE = 0.25
"""Seconds, to connect or for a reply."""
NOTHING = object()

Waiting = deque[tuple[float, "asyncio.Future[Any]"]]
"""Since when, by `time.monotonic()`, and for what. In the order of what was sent."""


class Replies(asyncio.Protocol):
    """Of one connection: hands each to the first who waits."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._reader = Reader(
            protocolError=InvalidResponse,
            replyError=BaseParser.parse_error,
            encoding="utf-8",
            notEnoughData=NOTHING,
        )
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises, when awaited: RedisError."""

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not NOTHING:
                if not isinstance(reply, PushNotification):  # which nobody asked for
                    self._hand_over(reply)
        except (InvalidResponse, IndexError, UnicodeDecodeError):
            self._end_with(Disconnected("Redis said what is no reply"))

    def _hand_over(self, reply: Any) -> None:
        _, future = self._waiting.popleft()
        if isinstance(reply, Disconnected):  # such as that it does not know us any more
            self._end_with(reply)
        if future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_with(Disconnected(f"Redis hung up: {exc}" if exc else "Redis hung up"))

    def _end_with(self, failure: RedisError) -> None:
        if not self.end.done():
            self.end.set_exception(failure)


class Line:
    """Connects when something is to be sent. What goes wrong fails all that waits; the next send begins anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop: asyncio.AbstractEventLoop | None = None
        self._working: asyncio.Task[None] | None = None
        self._transport: asyncio.WriteTransport | None = None
        """None while there is no connection."""
        self._unsent: list[tuple[bytes, asyncio.Future[Any]]] = []
        self._waiting: Waiting = deque()

    def send(self, *command: str | int) -> "asyncio.Future[Any]":
        """The reply. Raises, when awaited: RedisError."""
        # redis-py's own packing is Python, and took a third of a call's time here.
        packed = pack_command(command)  # type: ignore[arg-type]  # any length
        loop = asyncio.get_running_loop()
        if self._working is None or self._loop is not loop:
            self._begin(loop)
        future = loop.create_future()
        if self._transport is not None and not self._unsent:
            loop.call_soon(self._write)
        self._unsent.append((packed, future))
        return future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport, self._unsent, self._waiting = None, [], deque()
        self._working = loop.create_task(self._work(), context=of_nobody())

    async def _work(self) -> None:
        pool = ConnectionPool.from_url(
            self._url, socket_connect_timeout=PATIENCE, socket_timeout=None, decode_responses=True
        )
        connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
        failure: BaseException = Disconnected("Redis does not answer")
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.connect()  # type: ignore[no-untyped-call]
            await self._hold(connection._writer.transport)  # type: ignore[union-attr]  # connected
        except (RedisError, OSError, TimeoutError) as error:
            failure = error
        finally:
            watch.remove(self)
            self._working = self._transport = None  # whoever sends from here on begins anew
            self._fail(failure)
            with suppress(Exception):
                await connection.disconnect(nowait=True)

    async def _hold(self, transport: asyncio.WriteTransport) -> None:
        """Until the connection ends. Raises: RedisError."""
        replies = Replies(self._waiting)
        transport.set_protocol(replies)
        self._transport = transport
        self._write()
        await replies.end

    def _write(self) -> None:
        if self._transport is None or self._transport.is_closing() or not self._unsent:
            return
        batch, self._unsent = self._unsent, []
        now = time.monotonic()
        self._waiting.extend((now, future) for _, future in batch)
        watch.add(self)
        self._transport.write(b"".join([packed for packed, _ in batch]))

    def look(self, now: float) -> None:
        """Every tick: replies come in order, so only the first that is waited for can be late."""
        if not self._waiting:
            watch.remove(self)  # an idle server is to wake no more often than it must
        elif now > self._waiting[0][0] + PATIENCE - TICK:
            self.drop()

    def drop(self) -> None:
        """Hang up. Whoever waits for a reply hears that it will not come."""
        if self._working is not None:
            self._working.cancel()

    def _fail(self, failure: BaseException) -> None:
        futures = [future for _, future in (*self._waiting, *self._unsent)]
        self._waiting.clear()
        self._unsent.clear()
        for future in futures:
            if not future.done():
                future.set_exception(Disconnected(str(failure)))
                future.exception()  # seen, should nobody wait for it
