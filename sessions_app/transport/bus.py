"""One publish reaching every live end, in whichever process it is held.

The bus carries wake-ups: that something changed, by its id, never what it changed to. Readers look in
the database. The channel layer is at-most-once. What may not be lost (ends, authority, replies) is looked for
besides, twice or once a second (`ends.py`, `asking.py`); a change notice or a cancellation may be.
"""

import asyncio
import dataclasses
import logging
import random
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from asgiref.sync import async_to_sync
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer, channel_layers

from sessions_app.outage import Log
from sessions_app.postgresql.availability import availability

from .events import KINDS, Event, Missed

logger = logging.getLogger(__name__)
log = Log()
"""Of its own: that nobody hears anything is said, whatever else is."""

GROUP = "concierge.bus"
MOST_UNSENT = 10_000
"""Wake-ups kept while Redis is away; then the oldest go."""
LARGEST_BATCH = 200
SLOWEST_SEND = 1.0
"""Seconds."""
LONGEST_SILENCE = 1.0
"""Seconds without a call, which is a message without events. Then a process calls, and who does not even hear
himself hears nobody: a Redis that was flushed or restarted has forgotten who listens, one that hangs or is full
passes nothing on, nor do we get what comes while more waits for us than is kept."""
DEAF_AFTER = 2.5
"""Seconds without hearing a call. Then, and until one is heard, listeners are told as often that they may have
missed something; and once more when one is heard."""
GROUP_IS_JOINED_EVERY = 10.0
"""Seconds, and whenever he is deaf."""
PAUSE_AFTER_FAILURE = 1.0
WHEN_DATABASE_IS_BACK = (0.5, 3.0)
"""Seconds after which listeners look: soon, and when it has done what it was asked before it hung."""


class Bus:
    """Delivers in this process at once, and to the others through the channel layer."""

    def __init__(self) -> None:
        self._origin = secrets.token_hex(8)
        self._handlers: dict[type, list[Callable[[Any], None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsent: deque[Event] = deque(maxlen=MOST_UNSENT)
        self._has_unsent = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_at = 0.0
        self._is_deaf = False

    def on(self, kind: type, handler: Callable[[Any], None]) -> None:
        """Call `handler` on the event loop for each event of `kind`. It must be quick, and not raise."""
        self._handlers.setdefault(kind, []).append(handler)

    def publish(self, event: Event) -> None:
        """From any thread or command; after a commit, so best in `transaction.on_commit`."""
        if is_running_here(self._loop):
            self._publish(event)
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, event)
        else:
            self._publish_from_outside(event)

    def _publish(self, event: Event) -> None:
        self._deliver(event)
        if self._tasks:
            self._unsent.append(event)
            self._has_unsent.set()
            self._all_sent.clear()

    def _deliver(self, event: Event) -> None:
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception:  # one end that fails must not keep the others from hearing
                logger.exception("%r was not taken", event)

    def _publish_from_outside(self, event: Event) -> None:
        """Of a process that serves nobody, such as a management command: the servers are told, if they can be."""
        if is_shared(layer := layer_of_all()):
            try:
                async_to_sync(layer.group_send)(GROUP, self._message([event]))
            except Exception as error:  # noqa: BLE001 (whatever the layer raises: it is only a wake-up)
                logger.warning("The servers were not told of %r: %s", event, error)

    def _database_is_back(self) -> None:
        """From its thread. What was on its way when it went may have been committed, and nobody told of it."""
        if self._loop is not None and not self._loop.is_closed():
            for seconds in WHEN_DATABASE_IS_BACK:
                self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._deliver, Missed())

    # --- Between processes ---

    def attach(self) -> None:
        """Begin, on the running loop. Called once, when a server starts."""
        self._loop = loop = asyncio.get_running_loop()
        self._has_unsent, self._all_sent = asyncio.Event(), asyncio.Event()
        self._all_sent.set()
        if is_shared(layer_of_all()):
            self._tasks = [loop.create_task(work()) for work in (self._send, self._listen)]
        availability.on_return = [self._database_is_back]

    async def detach(self) -> None:
        """Send what waits, and end."""
        if self._tasks:
            with suppress(TimeoutError):
                async with asyncio.timeout(SLOWEST_SEND):
                    await self._all_sent.wait()
        tasks, self._tasks, self._loop = self._tasks, [], None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _message(self, events: list[Event]) -> dict[str, Any]:
        wire = [[type(event).__name__, *dataclasses.astuple(event)] for event in events]
        return {"type": "bus.wake", "origin": self._origin, "events": wire}

    async def _send(self) -> None:
        layer = layer_of_all()
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            while self._unsent:
                batch = [self._unsent.popleft() for _ in range(min(len(self._unsent), LARGEST_BATCH))]
                try:
                    async with asyncio.timeout(SLOWEST_SEND):
                        await layer.group_send(GROUP, self._message(batch))
                except Exception as error:  # noqa: BLE001 (whatever the layer raises)
                    log.seldom(logger, "Other processes hear of changes late; the channel layer fails", error)
                    self._unsent.extendleft(reversed(batch[: MOST_UNSENT - len(self._unsent)]))
                    await asyncio.sleep(PAUSE_AFTER_FAILURE)
            self._all_sent.set()

    async def _listen(self) -> None:
        layer = layer_of_all()
        channel = await layer.new_channel("concierge.bus")
        loop = asyncio.get_running_loop()
        self._heard_at, self._is_deaf = time.monotonic(), False
        others = [loop.create_task(work) for work in (self._stay_member(channel), self._break_silence(channel))]
        try:
            while True:
                try:
                    self._receive(await layer.receive(channel))
                except Exception as error:  # noqa: BLE001 (whatever the layer raises, or another release says)
                    log.seldom(logger, "Changes elsewhere are heard of late; the channel layer fails", error)
                    await asyncio.sleep(PAUSE_AFTER_FAILURE)
        finally:
            for task in others:
                task.cancel()

    async def _stay_member(self, channel: str) -> None:
        while True:
            await self._join(channel)
            await asyncio.sleep(GROUP_IS_JOINED_EVERY)

    async def _join(self, channel: str) -> None:
        with suppress(Exception):  # `_listen` meets the same failure, and says so
            await layer_of_all().group_add(GROUP, channel)

    async def _break_silence(self, channel: str) -> None:
        told_at = 0.0
        while True:
            await self._silence()
            now = time.monotonic()
            if now >= self._heard_at + DEAF_AFTER:
                self._is_deaf = True
                if now >= told_at + DEAF_AFTER:
                    told_at = now
                    self._deliver(Missed())
                await self._join(channel)
            with suppress(Exception):  # as above
                async with asyncio.timeout(SLOWEST_SEND):
                    await layer_of_all().group_send(GROUP, self._message([]))

    async def _silence(self) -> None:
        """Until no call was heard for a while. Each process waits for as long as it likes: one calls for all."""
        patience = LONGEST_SILENCE * random.uniform(0.75, 1)  # noqa: S311 (no secret)
        began = time.monotonic()
        while (rest := max(began, self._heard_at) + patience - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(rest)

    def _hear_call(self) -> None:
        """Whoever called: what reaches him reaches us."""
        before, self._heard_at = self._heard_at, time.monotonic()
        if self._is_deaf or self._heard_at >= before + DEAF_AFTER:
            self._is_deaf = False
            self._deliver(Missed())

    def _receive(self, message: dict[str, Any]) -> None:
        if not message.get("events"):
            self._hear_call()
        if message.get("origin") == self._origin:
            return
        for told in message.get("events", ()):
            try:
                name, *fields = told
                event = KINDS[name](*fields)
            except (KeyError, TypeError, ValueError):  # a newer release may run beside this one
                logger.warning("Another process told of %r, of which this release knows nothing", told)
            else:
                self._deliver(event)


def is_running_here(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Whether this is `loop`'s own thread; or any loop's, while no server has begun (as in tests)."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        return False
    return loop is None or loop.is_closed() or running is loop


def layer_of_all() -> Any:
    """The channel layer. Its methods differ from those that its base class declares."""
    return channel_layers[DEFAULT_CHANNEL_LAYER]


def is_shared(layer: Any) -> bool:
    return not isinstance(layer, InMemoryChannelLayer)


bus = Bus()
