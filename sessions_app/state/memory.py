"""The state of a single process, and what a process counts by while Redis is away."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from sessions_app.limits import Bucket

from .base import LEASE, Admission, Epoch, Operation, Ticket, Usage, whose_epoch

FEW = 1000
"""Owners and buckets that are not worth tidying."""


class Window:
    """When one bucket let somebody in, the oldest first, as far as that counts."""

    __slots__ = ("_seconds", "admitted")

    def __init__(self) -> None:
        self.admitted: deque[float] = deque()
        self._seconds = 0

    def move(self, seconds: int, now: float) -> None:
        self._seconds = seconds
        while self.admitted and self.admitted[0] + seconds <= now:
            self.admitted.popleft()

    def wait(self, most: int, now: float) -> float:
        """Seconds until one more fits: until the last but `most` of those that were let in is a window ago."""
        return self.admitted[-most] + self._seconds - now if len(self.admitted) >= most else 0.0

    def counts(self, now: float) -> bool:
        return bool(self.admitted) and self.admitted[-1] + self._seconds > now

    def usage(self, bucket: Bucket, now: float) -> Usage:
        remaining = max(0, bucket.limit.most - len(self.admitted))
        return Usage(bucket, remaining, self.admitted[0] + self._seconds - now if self.admitted else 0.0)


class MemoryState:
    """Safe from several threads; `clock` gives seconds."""

    is_away = False

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._windows: dict[str, Window] = {}
        self._running: dict[str, dict[str, tuple[float, Operation]]] = {}
        """By owner and id: until when each operation counts."""
        self._everybody = new_epoch()
        self._epochs: dict[str, str] = {}
        self._next_tidying = FEW

    async def admit(self, ticket: Ticket) -> Admission:
        return self.admit_now(ticket)

    def admit_now(self, ticket: Ticket) -> Admission:
        now = self._clock()
        with self._lock:
            epoch = self._epoch(ticket.owner)
            operation = ticket.operation
            if operation is not None and self._is_crowded(ticket, now):
                return Admission(epoch, is_crowded=True, retry_after=1.0)
            self._tidy(now)
            windows = []
            for bucket in ticket.buckets:
                window = self._window(bucket, now)
                if (wait := window.wait(bucket.limit.most, now)) > 0:
                    return Admission(epoch, bucket, retry_after=wait)
                windows.append(window)
            for window in windows:
                window.admitted.append(now)
            if operation is not None:
                self._running.setdefault(ticket.owner, {})[operation.id] = (now + LEASE, operation)
        return Admission(epoch)

    def take(self, buckets: Sequence[Bucket]) -> Admission:
        return self.admit_now(Ticket("", buckets))

    def give_back(self, buckets: Sequence[Bucket]) -> None:
        with self._lock:
            for bucket in buckets:
                if (window := self._windows.get(bucket.key)) is not None and window.admitted:
                    window.admitted.pop()

    def _window(self, bucket: Bucket, now: float) -> "Window":
        key = bucket.key
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window()
        window.move(bucket.limit.seconds, now)
        return window

    def _is_crowded(self, ticket: Ticket, now: float) -> bool:
        """What was left behind is looked for only when it takes somebody's place."""
        running = self._running.get(ticket.owner, {})
        if len(running) < ticket.most_at_once:
            return False
        going_on = {key: entry for key, entry in running.items() if entry[0] > now}
        self._running[ticket.owner] = going_on
        return len(going_on) >= ticket.most_at_once

    def _tidy(self, now: float) -> None:
        """Forget what does not count any more whenever there is twice as much as was left the last time."""
        if len(self._windows) < self._next_tidying:
            return
        self._windows = {key: window for key, window in self._windows.items() if window.counts(now)}
        self._next_tidying = max(FEW, 2 * len(self._windows))

    def finish(self, ticket: Ticket) -> None:
        if ticket.operation is not None and (running := self._running.get(ticket.owner)) is not None:
            with self._lock:
                running.pop(ticket.operation.id, None)
                if not running and self._running.get(ticket.owner) is running:
                    del self._running[ticket.owner]

    def renew(self, tickets: Sequence[Ticket]) -> None:
        until = self._clock() + LEASE
        with self._lock:
            for owner, _, operation, _ in tickets:
                if operation is not None and operation.id in self._running.get(owner, ()):
                    self._running[owner][operation.id] = (until, operation)

    async def operations(self, owner: str) -> list[Operation]:
        return self.operations_now([owner])[owner]

    def operations_now(self, owners: Sequence[str]) -> dict[str, list[Operation]]:
        now = self._clock()
        with self._lock:
            running = {owner: self._running.get(owner, {}).values() for owner in owners}
            return {owner: [each for until, each in kept if until > now] for owner, kept in running.items()}

    async def usage(self, buckets: Sequence[Bucket]) -> list[Usage]:
        return self.usage_now(buckets)

    def usage_now(self, buckets: Sequence[Bucket]) -> list[Usage]:
        now = self._clock()
        with self._lock:
            return [self._window(bucket, now).usage(bucket, now) for bucket in buckets]

    def change(self, *owners: str) -> None:
        with self._lock:
            for owner in owners:
                self._epochs[whose_epoch(owner)] = new_epoch()
            if not owners:
                self._everybody = new_epoch()
                self._epochs.clear()

    def _epoch(self, owner: str) -> Epoch:
        return self._everybody, self._epochs.get(whose_epoch(owner), "")


def new_epoch() -> str:
    """Random, never a number that goes up: what was emptied and began anew must not repeat one."""
    return secrets.token_hex(8)
