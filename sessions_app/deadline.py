"""Time limits that cost next to nothing until they pass.

A timer for each call, set and cancelled, is dearer than most of what a call does (3 µs each way of
`asyncio.timeout`). So limits only enter a set, and one timer looks at the set twenty times a second.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, Self

from .request_ids import of_nobody

TICK = 0.05
"""Seconds: how late a limit may be noticed."""


class Watched(Protocol):
    def look(self, now: float) -> None:
        """Called every tick with `time.monotonic()`; must not raise."""


class Watch(threading.local):
    """The set, and the timer that runs while it is not empty; one of each for a thread and its loop."""

    def __init__(self) -> None:
        self._watched: set[Watched] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, watched: Watched) -> None:
        self._watched.add(watched)
        if self._loop is None or not self._loop.is_running():
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(TICK, self._tick, context=of_nobody())

    def remove(self, watched: Watched) -> None:
        self._watched.discard(watched)

    def _tick(self) -> None:
        now = time.monotonic()
        for watched in tuple(self._watched):
            watched.look(now)
        if self._watched and self._loop is not None:
            self._loop.call_later(TICK, self._tick)
        else:
            self._loop = None


watch = Watch()


class Deadline:
    """`async with Deadline(5):` raises TimeoutError if the block takes longer, like `asyncio.timeout`."""

    __slots__ = ("_at", "_cancelling", "_has_passed", "_paused_at", "_pauses", "_task")

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._has_passed = False
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._pauses = 0
        self._paused_at = 0.0

    async def __aenter__(self) -> Self:
        self._task = task = asyncio.current_task()
        assert task is not None  # noqa: S101 (a coroutine runs in a task)
        self._cancelling = task.cancelling()
        watch.add(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        watch.remove(self)
        # As asyncio.Timeout does: the cancellation is ours only if nobody else asked for one too.
        is_ours = self._has_passed and self._task is not None and self._task.uncancel() <= self._cancelling
        if is_ours and kind is asyncio.CancelledError:
            raise TimeoutError

    @property
    def has_passed(self) -> bool:
        return self._has_passed

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time inside this block does not count. Blocks may overlap, as of two tasks that both ask."""
        if not self._pauses:
            self._paused_at = time.monotonic()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._at += time.monotonic() - self._paused_at

    def look(self, now: float) -> None:
        if now >= self._at and not self._pauses and not self._has_passed and self._task is not None:
            self._has_passed = True
            self._task.cancel()


time_of_call: ContextVar[Deadline | None] = ContextVar("time_of_call", default=None)
"""The time that the running call may take, for who has to wait for people."""
