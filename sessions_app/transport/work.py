"""What one socket is busy with: a task for each message that takes long, and the exchanges of its requests."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from mcp_types import RequestId

from sessions_app.exceptions import Refused

from .exchange import Exchange
from .jsonrpc import Message, Reply

logger = logging.getLogger(__name__)

MOST = 256
"""Tasks, beyond which the socket is not read. More than may run and listen at once (limits.py, places.py), so
there is always room for what ends one of them: a cancellation, or the reply to a question."""
BREATH_EVERY = 4
"""Messages after which others get their turn, however many more are here already."""


class Work:
    """`fail` is called if a task raises what nobody foresaw."""

    def __init__(self, fail: Callable[[], None]) -> None:
        self._fail = fail
        self._exchanges: dict[RequestId, Exchange] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = 0

    @property
    def is_answering(self) -> bool:
        return bool(self._exchanges)

    def is_answering_to(self, request_id: RequestId) -> bool:
        return request_id in self._exchanges

    @contextmanager
    def exchange(self, exchange: Exchange) -> Iterator[None]:
        """It is under way inside this block, under its request's id."""
        self._exchanges[exchange.request_id] = exchange
        try:
            yield
        finally:
            del self._exchanges[exchange.request_id]

    def cancelled_by(self, message: Message | Reply) -> Exchange | None:
        """What it says that the client wants no reply to; it gets none (MCP, Cancellation)."""
        if not isinstance(message, Message) or message.method != "notifications/cancelled":
            return None
        return self._exchanges.get(message.cancelled_id)

    def cut(self, because: Refused | None = None) -> None:
        for exchange in tuple(self._exchanges.values()):
            exchange.cut(because)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """At once: as a rule it is done before anything has to be waited for."""
        task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
        self._tasks.add(task)
        if task.done():
            self._done(task)
        else:
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A message was not taken", exc_info=error)
            self._fail()

    async def room(self) -> None:
        """Until there is some for one more message."""
        self._taken += 1
        if self._taken % BREATH_EVERY == 0:
            await asyncio.sleep(0)
        while len(self._tasks) >= MOST:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def done(self) -> None:
        """Until all is."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
