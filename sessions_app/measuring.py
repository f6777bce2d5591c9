"""Once a second a process looks at what it does not count as it happens: what is open, waits, or is used."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from .metrics import counter

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds."""
Look = Callable[[float], None]
"""Sets its gauges. On the event loop, so it waits for nothing. Told how many seconds passed since the last."""

LATE = counter(
    "concierge_loop_late_seconds",
    "Seconds by which event loops were late for what they do once a second.",
)


class Measuring:
    def __init__(self, *looks: Look) -> None:
        self._looks = looks
        self._failing: set[Look] = set()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """On the running loop, when the server starts."""
        self.look(0)
        self._task = asyncio.get_running_loop().create_task(self._go_on())

    async def end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def look(self, passed: float) -> None:
        for look in self._looks:
            try:
                look(passed)
                self._failing.discard(look)
            except Exception:  # the others are told all the same
                if look not in self._failing:
                    logger.exception("Not known: what %r measures", look)
                self._failing.add(look)

    async def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            await asyncio.sleep(EVERY)
            now = loop.time()
            LATE.inc(max(0, now - looked - EVERY))
            self.look(now - looked)
            looked = now
