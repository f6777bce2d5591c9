"""How many sessions more may be opened, of all that there may be."""

import time
from collections.abc import Callable
from threading import Lock

LOOKED_AT_FOR = 1.0
"""Seconds."""


class Room:
    """What a look found is used up, one by one, for a second.

    Counting costs as much as there are live sessions, and may read a block of the table for each: with twenty
    thousand of them more than a second, where the database has none in memory. When nothing is left every opening
    looks. Each process has its own, so that all together may open more, by what is opened within a second.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._left, self._until = 0, 0.0

    def take(self, look: Callable[[], int]) -> bool:
        """Whether there was room for one more; `look` counts it. What is not used in the end is not given back."""
        with self._lock:
            if self._has_left():
                self._left -= 1
                return True
        left = look()  # by several at once, as they would without this
        with self._lock:
            self._left, self._until = left - 1, time.monotonic() + LOOKED_AT_FOR
        return left > 0

    def _has_left(self) -> bool:
        return self._left > 0 and time.monotonic() < self._until

    def forget(self) -> None:
        self._left, self._until = 0, 0.0


of_everybody, of_guests = Room(), Room()
