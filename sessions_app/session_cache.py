"""What a session keeps for a while: seen in every process, and gone with the session.

It is Django's cache: Redis in production, this process's memory embedded. All that one session keeps is
one value there, so its bounds are counted on the spot and it goes with one delete. Of two that are put at
the same moment one may be lost, and is made again.
"""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

from django.core.cache import cache
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from .outage import Log
from .pool import tool_pool

logger = logging.getLogger(__name__)

LIFETIME = 300.0
"""Seconds, where nobody says otherwise."""
MOST_ENTRIES = 64
MOST_BYTES = 256 * 1024
"""Of all values of one session, as JSON. The oldest go first; one that is larger by itself is not kept."""
LONGEST_MAKING = 10.0
"""Seconds that others wait for who began to make a value. He may have been killed."""
LOOK_AGAIN_AFTER = 2.0
"""Seconds."""
LOOK_EVERY = 0.05
Unavailable = (RedisError, ConnectionInterrupted, OSError)

Entries = dict[str, tuple[float, float, str]]
"""By key: since when and until when (seconds since 1970), and the value as JSON."""


class Shelf:
    """Django's cache, left alone for a moment after it failed: one that hangs costs once, not at each call."""

    def __init__(self) -> None:
        self._away_until = 0.0
        self._log = Log()

    def ask[T](self, work: Callable[[], T], *, otherwise: T) -> T:
        if time.monotonic() < self._away_until:
            return otherwise
        try:
            return work()
        except Unavailable as error:
            self._away_until = time.monotonic() + LOOK_AGAIN_AFTER
            self._log.seldom(logger, "Sessions keep nothing: the cache fails", error)
            return otherwise

    def forget(self) -> None:
        """That it failed."""
        self._away_until = 0.0


shelf = Shelf()


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
        since, until = time.time() if anew else 0.0, time.monotonic() + LONGEST_MAKING
        look = partial(self._get_or_begin, key, make, lifetime, since, until)
        while (found := await tool_pool.run(look)) is None:  # noqa: ASYNC110 (another process may make it)
            await asyncio.sleep(LOOK_EVERY)
        return found

    def _get_or_begin(
        self, key: str, make: Callable[[], Any], lifetime: float, since: float, until: float
    ) -> tuple[Kept, bool] | None:
        """None while somebody else is at it, unless that takes too long. All in one go on one thread, so that
        whoever is given up leaves nothing begun.
        """
        kept = self.get(key)
        if kept is not None and kept.since >= since:
            return kept, False
        name, mine = f"session-making:{self._session}:{key}", secrets.token_hex(8)
        if (
            not shelf.ask(lambda: cache.add(name, mine, LONGEST_MAKING), otherwise=True)
            and time.monotonic() < until
        ):
            return None
        try:
            kept = self.get(key)  # whoever was at it may have made it since we looked
            if kept is not None and kept.since >= since:
                return kept, False
            value = make()
            self.put(key, value, lifetime)
        finally:
            if shelf.ask(lambda: cache.get(name), otherwise=None) == mine:
                shelf.ask(lambda: cache.delete(name), otherwise=False)
        return Kept(value, time.time()), True

    def _entries(self) -> Entries:
        """Those whose time is not over."""
        stored: Entries | None = shelf.ask(lambda: cache.get(name_of(self._session)), otherwise=None)
        now = time.time()
        return {key: entry for key, entry in (stored or {}).items() if entry[1] > now}

    def _write(self, entries: Entries) -> None:
        name = name_of(self._session)
        if entries:
            seconds = max(1.0, max(until for _, until, _ in entries.values()) - time.time())
            shelf.ask(lambda: cache.set(name, entries, seconds), otherwise=None)
        else:
            shelf.ask(lambda: cache.delete(name), otherwise=False)


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
    """All that these sessions, by their public ids, kept. They are over. What stays goes when its time is over."""
    shelf.ask(lambda: cache.delete_many([name_of(session) for session in sessions]), otherwise=None)


def name_of(session: str) -> str:
    return f"session:{session}"
