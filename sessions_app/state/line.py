"""One connection to Redis, shared by all who run on an event loop.

What is sent within a tick leaves in one write, and one task reads the replies in order: a pool would take a
connection, two tasks and a system call for each command.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any

from hiredis import pack_command
from redis.asyncio import Connection, ConnectionPool
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

from sessions_app.deadline import TICK, watch
from sessions_app.request_ids import of_nobody

PATIENCE = 0.25
"""Seconds, to connect or for a reply."""

Command = tuple[str | int, ...]


class Line:
    """Connects when something is to be sent. What goes wrong fails all that waits; the next send begins anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop: asyncio.AbstractEventLoop | None = None
        self._working: asyncio.Task[None] | None = None
        self._unsent: list[tuple[Command, asyncio.Future[Any]]] = []
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._has_unsent = asyncio.Event()

    def send(self, *command: str | int) -> "asyncio.Future[Any]":
        """The reply. Raises, when awaited: RedisError."""
        loop = asyncio.get_running_loop()
        if self._working is None or self._loop is not loop:
            self._begin(loop)
        future = loop.create_future()
        self._unsent.append((command, future))
        self._has_unsent.set()
        return future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._unsent, self._waiting, self._has_unsent = [], deque(), asyncio.Event()
        self._working = loop.create_task(self._work(), context=of_nobody())
        watch.add(self)

    async def _work(self) -> None:
        pool = ConnectionPool.from_url(
            self._url, socket_connect_timeout=PATIENCE, socket_timeout=None, decode_responses=True
        )
        connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's
        reading: asyncio.Task[None] | None = None
        failure: BaseException = Disconnected("Redis does not answer")
        try:
            async with asyncio.timeout(PATIENCE):
                await connection.connect()  # type: ignore[no-untyped-call]
            reading = asyncio.get_running_loop().create_task(self._read(connection))
            await self._write(connection)
        except (RedisError, OSError, TimeoutError) as error:
            failure = error
        finally:
            watch.remove(self)
            self._working = None  # whoever sends from here on begins anew
            self._fail(failure)
            if reading is not None:
                reading.cancel()
            with suppress(Exception):
                await connection.disconnect(nowait=True)

    async def _write(self, connection: Connection) -> None:
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            batch, self._unsent = self._unsent, []
            now = time.monotonic()
            self._waiting.extend((now, future) for _, future in batch)
            # redis-py's own packing is Python, and took a third of a call's time here.
            packed = b"".join([pack_command(command) for command, _ in batch])  # type: ignore[arg-type]  # any length
            await connection.send_packed_command(packed, check_health=False)

    async def _read(self, connection: Connection) -> None:
        try:
            while True:
                try:
                    reply = await connection.read_response(disconnect_on_error=False)
                except ResponseError as error:
                    self._hand_over(error)
                else:
                    self._hand_over(reply)
        except (RedisError, OSError):
            self.drop()

    def _hand_over(self, reply: Any) -> None:
        _, future = self._waiting.popleft()
        if future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def look(self, now: float) -> None:
        """Every tick: replies come in order, so only the first that is waited for can be late."""
        if self._waiting and now > self._waiting[0][0] + PATIENCE - TICK:
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
