"""Waiting, in this process, for clients' replies to requests of ours that other processes may receive."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseFailure

from sessions_app.deadline import watch
from sessions_app.models import ServerRequest, Session
from sessions_app.models.server_request import LEASE
from sessions_app.outage import log
from sessions_app.pool import background_pool, identity_pool

from .bus import bus
from .events import ReplyArrived

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds. The bus tells at once; this finds the replies of which it did not."""
RENEW_EVERY = LEASE.total_seconds() / 3
LAST_WORDS = 1.0
"""Seconds before a server that stops cancels calls: then those that wait for a reply are told that none comes."""


class Stopping(Exception):
    """The server stops, and cannot wait for people."""


class Waiting:
    """Calls that wait for a reply, by the primary key of the `ServerRequest`."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Event] = {}
        self._next_look = 0.0
        self._next_renewal = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._is_closed = False
        bus.on(ReplyArrived, lambda event: self._wake(event.server_request_id))

    @contextmanager
    def for_reply(self, request: ServerRequest) -> Iterator[asyncio.Event]:
        """Set when there may be a reply; and when it cannot be waited for any longer."""
        if not self._waiting:
            self._next_renewal = time.monotonic() + RENEW_EVERY
        self._waiting[request.pk] = event = asyncio.Event()
        watch.add(self)
        try:
            yield event
        finally:
            del self._waiting[request.pk]
            if not self._waiting:
                watch.remove(self)

    def check_open(self) -> None:
        """Raises: Stopping."""
        if self._is_closed:
            raise Stopping

    def close(self) -> None:
        """As a shutdown begins: who replies while calls may still run is heard, wherever the reply arrives."""
        if self._closing is None:
            seconds = max(0.0, settings.STOP_GRACE - LAST_WORDS)
            self._closing = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._is_closed = True
        for event in self._waiting.values():
            event.set()

    def reopen(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        self._closing, self._is_closed = None, False

    def _wake(self, pk: int) -> None:
        if (event := self._waiting.get(pk)) is not None:
            event.set()

    def look(self, now: float) -> None:
        if now >= self._next_look and (self._looking is None or self._looking.done()):
            self._next_look = now + LOOK_EVERY
            self._looking = asyncio.get_running_loop().create_task(self._look_for_replies())

    async def _look_for_replies(self) -> None:
        mine = ServerRequest.objects.filter(pk__in=list(self._waiting))
        replied = mine.exclude(replied_at=None).values_list("pk", flat=True)
        try:
            for pk in await identity_pool.run(lambda: list(replied)):
                self._wake(pk)
            if time.monotonic() >= self._next_renewal:
                self._next_renewal = time.monotonic() + RENEW_EVERY
                await background_pool.run(mine.renew)
        except DatabaseFailure as failure:
            log.tell(logger, "The database did not say whether clients replied", failure)


waiting = Waiting()


@asynccontextmanager
async def question(session: Session, method: str) -> AsyncIterator[ServerRequest]:
    """An open question to the session's client, taken back if its block does not end well.

    Raises: Stopping, TooManyQuestions.
    """
    waiting.check_open()
    asking = asyncio.ensure_future(background_pool.run(lambda: ServerRequest.objects.ask(session, method)))
    try:
        request = await asyncio.shield(asking)
    except asyncio.CancelledError:
        asking.add_done_callback(take_back)
        raise
    try:
        yield request
    except BaseException:
        background_pool.later(request.withdraw)
        raise


def take_back(asked: "asyncio.Future[ServerRequest]") -> None:
    """What was asked for a call that did not live to tell its client."""
    if not asked.cancelled() and asked.exception() is None:
        background_pool.later(asked.result().withdraw)


async def reply_to(request: ServerRequest, seconds: float) -> dict[str, Any]:
    """The client's reply: `result` or `error`. Raises: TimeoutError when nobody replied in time, Stopping."""
    try:
        async with asyncio.timeout(seconds):
            return await next_reply(request)
    except (TimeoutError, Stopping):
        # What was acknowledged counts, though nobody told us of it.
        if (reply := await background_pool.run(request.withdraw)) is None:
            raise
        return reply


async def next_reply(request: ServerRequest) -> dict[str, Any]:
    with waiting.for_reply(request) as told:
        while (reply := await background_pool.run(request.take_reply)) is None:
            waiting.check_open()
            await told.wait()
            told.clear()
    return reply
