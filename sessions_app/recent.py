"""What the database said within the last second."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

LIFETIME = 1.0
"""Seconds. So long may a change made behind our back (raw SQL, another process) go unnoticed."""

FEW = 128
"""Entries that are not worth tidying."""


class Recent[K: Hashable, V]:
    """A cache whose entries live a second, and which reads once however many ask at once.

    Failures are not kept, so a refused caller is read again and the cache holds only real ones.
    """

    def __init__(self, *, lifetime: float = LIFETIME, most: int = 10_000) -> None:
        self._lifetime = lifetime
        self._most = most
        self._entries: dict[K, tuple[float, V]] = {}
        self._next_tidying = FEW
        self._reading: dict[K, asyncio.Task[V]] = {}

    def get(self, key: K) -> V | None:
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            return None
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """Keep what was read elsewhere just now."""
        self._make_room()
        self._entries[key] = (time.monotonic() + self._lifetime, value)

    async def read(self, key: K, reader: Callable[[], Awaitable[V]]) -> V:
        """The value for `key`, read by one of those who wait for it and shared with the others."""
        task = self._reading.get(key)
        if task is None:
            task = asyncio.ensure_future(self._read(key, reader))
            self._reading[key] = task
            task.add_done_callback(lambda done: self._finish(key, done))
        # Shielded: one caller who leaves must not fail the others.
        return await asyncio.shield(task)

    async def _read(self, key: K, reader: Callable[[], Awaitable[V]]) -> V:
        # The lifetime counts from before the read: what is older than a second is never served.
        until = time.monotonic() + self._lifetime
        value = await reader()
        if self._reading.get(key) is asyncio.current_task():
            self._make_room()
            self._entries[key] = (until, value)
        return value

    def _finish(self, key: K, done: "asyncio.Task[V]") -> None:
        if self._reading.get(key) is done:
            del self._reading[key]
        see(done)

    def _make_room(self) -> None:
        """Drop what is past whenever there is twice as much as was left the last time: nothing stays for long."""
        if len(self._entries) < min(self._next_tidying, self._most):
            return
        now = time.monotonic()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[0] >= now}
        while len(self._entries) >= self._most:
            self._entries.pop(next(iter(self._entries)))
        self._next_tidying = max(FEW, 2 * len(self._entries))

    def drop(self, key: K) -> None:
        """Read this one anew."""
        self._entries.pop(key, None)

    def forget(self) -> None:
        """Read everything anew."""
        self._entries.clear()
        self.read_again()

    def read_again(self) -> None:
        """What is being read at this moment may be from before a change: it is not kept, nor shared any more."""
        self._reading.clear()


def see(done: "asyncio.Task[Any]") -> None:
    """What it failed with: each waiter gets it through its shield. With none left, it is not the log's."""
    if not done.cancelled():
        done.exception()
