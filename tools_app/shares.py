"""How many of the threads that run tools one caller may have: fewer than there are, so that others find one."""

import asyncio
import threading
from collections import Counter, deque
from concurrent.futures import Future

from django.conf import settings

from sessions_app.deadline import Deadline
from sessions_app.exceptions import Crowded

PATIENCE = 2.0
"""Seconds that a call waits for others of its caller. Short calls that come in numbers take their turns meanwhile;
behind slow ones it would only wait until its client is gone."""
RETRY_AFTER = 1.0


class Shares:
    """Of one pool of threads, in this process. A place is asked for on the loop, and given back on any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[Future[None]]] = {}
        """Only of callers who hold all that they may."""

    async def take(self, owner: str) -> None:
        """Raises: Crowded. What is taken has to be given back when the thread is free, whoever waits for it."""
        place = self._ask(owner)
        if place is None:
            return
        try:
            async with Deadline(PATIENCE):
                await asyncio.wrap_future(place)
        except BaseException as error:
            self._leave(owner, place)
            if isinstance(error, TimeoutError):
                raise Crowded(RETRY_AFTER) from None
            raise

    def give_back(self, owner: str) -> None:
        with self._lock:
            waiting = self._waiting.get(owner, ())
            while waiting:
                place = waiting.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(None)
                    return
            self._waiting.pop(owner, None)
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]

    def _ask(self, owner: str) -> "Future[None] | None":
        """None: it has one."""
        with self._lock:
            if self._held[owner] < self._most:
                self._held[owner] += 1
                return None
            place = Future[None]()
            self._waiting.setdefault(owner, deque()).append(place)
            return place

    def _leave(self, owner: str, place: "Future[None]") -> None:
        if not place.cancel():
            self.give_back(owner)  # it came at that very moment
            return
        with self._lock:
            if (waiting := self._waiting.get(owner)) and place in waiting:
                waiting.remove(place)


shares = Shares(settings.TOOL_THREADS_OF_ONE)
