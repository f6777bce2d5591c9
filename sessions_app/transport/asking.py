"""Waiting, in this process, for clients' replies to requests of ours that other processes may receive."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import Error as DatabaseFailure

from sessions_app.deadline import watch
from sessions_app.models import ServerRequest
from sessions_app.pool import background_pool, identity_pool

from .bus import ReplyArrived, bus

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds. The bus tells at once; this finds the replies of which it did not."""


LAST_REPLIES = 5.0
"""Seconds after which a server that is to stop waits for no reply any more."""


class Stopping(Exception):
    """The server stops, and cannot wait for people."""


class Waiting:
    """Calls that wait for a reply, by the primary key of the `ServerRequest`."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._next_look = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._is_closed = False
        bus.on(ReplyArrived, lambda event: self._wake(event.server_request_id))

    @contextmanager
    def for_reply(self, request: ServerRequest) -> Iterator["asyncio.Future[None]"]:
        """A future that is done when the reply has been committed."""
        if self._is_closed:
            raise Stopping
        future = asyncio.get_running_loop().create_future()
        self._waiting[request.pk] = future
        watch.add(self)
        try:
            yield future
        finally:
            del self._waiting[request.pk]
            if not self._waiting:
                watch.remove(self)

    def close(self) -> None:
        """As a shutdown begins: who does not reply in a moment cannot be waited for."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(LAST_REPLIES, self._give_up)

    def _give_up(self) -> None:
        self._is_closed = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Stopping())

    def reopen(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        self._closing, self._is_closed = None, False

    def _wake(self, pk: int) -> None:
        if (future := self._waiting.get(pk)) is not None and not future.done():
            future.set_result(None)

    def look(self, now: float) -> None:
        if now >= self._next_look and (self._looking is None or self._looking.done()):
            self._next_look = now + LOOK_EVERY
            self._looking = asyncio.get_running_loop().create_task(self._look_for_replies())

    async def _look_for_replies(self) -> None:
        replied = ServerRequest.objects.filter(pk__in=list(self._waiting)).exclude(replied_at=None)
        try:
            for pk in await identity_pool.run(lambda: list(replied.values_list("pk", flat=True))):
                self._wake(pk)
        except DatabaseFailure:
            logger.warning("The database did not say whether clients replied")


waiting = Waiting()


async def reply_to(request: ServerRequest, seconds: float) -> dict[str, Any]:
    """The client's reply: `result` or `error`. Raises: TimeoutError when nobody replied in time, Stopping."""
    with waiting.for_reply(request) as replied:
        try:
            async with asyncio.timeout(seconds):
                await replied
        except BaseException:
            background_pool.later(request.withdraw)
            raise
    return await background_pool.run(lambda: ServerRequest.objects.get(pk=request.pk).take_reply())
