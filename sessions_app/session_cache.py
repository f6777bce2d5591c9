"""What a session keeps for a while: seen in every process, and gone with the session.

It is Django's cache: Redis in production, this process's memory embedded. All that one session keeps is
one value there, so its bounds are counted on the spot and it goes with one delete. Of two that are put at
the same moment one may be lost, and is made again.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, NamedTuple

from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from .pool import tool_pool

logger = logging.getLogger(__name__)

LIFETIME = 300.0
"""Seconds, where nobody says otherwise."""
MOST_ENTRIES = 64
MOST_BYTES = 256 * 1024
"""Of all values of one session, as JSON. The oldest go first; one that is larger by itself is not kept."""
LONGEST_MAKING = 30.0
"""Seconds that others wait for who began to make a value."""
LOOK_EVERY = 0.05
Unavailable = (RedisError, ConnectionInterrupted, OSError)

Entries = dict[str, tuple[float, float, str]]
"""By key: since when and until when (seconds since 1970), and the value as JSON."""


class Kept(NamedTuple):
    value: Any
    since: float
    """Seconds since 1970."""

    @property
    def age(self) -> float:
        """Seconds."""
        return max(0.0, time.time() - self.since)


class SessionCache:
    """Any JSON value under a key. Without effect while the cache is away: then nothing is kept."""

    def __init__(self, session: str) -> None:
        self._session = session
        """Its public id."""

    def get(self, key: str) -> Kept | None:
        entry = self._entries().get(key)
        return None if entry is None else Kept(json.loads(entry[2]), entry[0])

    def put(self, key: str, value: Any, lifetime: float = LIFETIME) -> None:
        now, text = time.time(), json.dumps(value, ensure_ascii=False)
        entries = self._entries()
        entries.pop(key, None)  # the newest is the last
        entries[key] = (now, now + lifetime, text)
        self._write(within_bounds(entries))

    def forget(self, key: str) -> None:
        entries = self._entries()
        if entries.pop(key, None) is not None:
            self._write(entries)

    def __len__(self) -> int:
        return len(self._entries())

    async def get_or_make(
        self, key: str, make: Callable[[], Any], lifetime: float = LIFETIME, *, anew: bool = False
    ) -> tuple[Kept, bool]:
        """The value and whether it was made now, by `make` on a tool's thread. Of many who miss it, one makes it.

        `anew`: what was kept before now does not count.
        """
        asked_at, until = time.time(), time.monotonic() + LONGEST_MAKING
        while True:
            kept = await tool_pool.run(lambda: self.get(key))
            if kept is not None and (not anew or kept.since >= asked_at):
                return kept, False
            if time.monotonic() >= until or await tool_pool.run(lambda: self._begin_making(key)):
                return await tool_pool.run(lambda: self._make(key, make, lifetime)), True
            await asyncio.sleep(LOOK_EVERY)

    def _make(self, key: str, make: Callable[[], Any], lifetime: float) -> Kept:
        try:
            value = make()
            self.put(key, value, lifetime)
        finally:
            with suppress(*Unavailable):
                cache.delete(name_of_making(self._session, key))
        return Kept(value, time.time())

    def _begin_making(self, key: str) -> bool:
        """False if somebody else is at it."""
        try:
            return bool(cache.add(name_of_making(self._session, key), True, LONGEST_MAKING))
        except Unavailable:
            return True

    def _entries(self) -> Entries:
        """Those whose time is not over."""
        try:
            stored: Entries = cache.get(name_of(self._session)) or {}
        except Unavailable as error:
            logger.warning("The cache fails, so sessions keep nothing: %s", error)
            return {}
        now = time.time()
        return {key: entry for key, entry in stored.items() if entry[1] > now}

    def _write(self, entries: Entries) -> None:
        with suppress(*Unavailable):
            if entries:
                last = max(until for _, until, _ in entries.values())
                cache.set(name_of(self._session), entries, max(1.0, last - time.time()))
            else:
                cache.delete(name_of(self._session))


def within_bounds(entries: Entries) -> Entries:
    """Without the oldest that are too many, or too much."""
    sizes = {key: len(text.encode()) for key, (_, _, text) in entries.items()}
    kept = dict(entries)
    for key in entries:
        if len(kept) <= MOST_ENTRIES and sum(sizes[name] for name in kept) <= MOST_BYTES:
            break
        del kept[key]
    return kept


def clear(sessions: Collection[str]) -> None:
    """All that these sessions, by their public ids, kept. They are over."""
    try:
        cache.delete_many([name_of(session) for session in sessions])
    except Unavailable as error:
        logger.warning("What ended sessions kept goes when its time is over: the cache fails: %s", error)


def name_of(session: str) -> str:
    return f"session:{session}"


def name_of_making(session: str, key: str) -> str:
    return f"session-making:{session}:{key}"
