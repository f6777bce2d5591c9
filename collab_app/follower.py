"""One browser that shows a room: what it has seen, and what it still has to be told."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sessions_app.principal import Principal
from sessions_app.transport.closing import Close
from sessions_app.transport.socket_carrier import SocketCarrier

from .room_view import RoomView

MOST_PENDING = 64
MOST_PENDING_BYTES = 2 * 1024 * 1024
"""Frames that wait for a browser to take them, and their bytes. With more it has to connect anew, and catch up."""
BEHIND = Close(1013, "Too far behind; connect again")


class Follower:
    def __init__(self, principal: Principal, carrier: SocketCarrier, end: Callable[[Close], None]) -> None:
        self.principal = principal
        self.end = end
        self.sequence = 0
        self.revision = -1
        """Less than any room's: it has seen none of it."""
        self.is_catching_up = True
        """It reads what it missed by itself, and is not shown anything yet."""
        self._here: Any = None
        self._carrier = carrier
        self._pending: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._is_taken = asyncio.Event()
        self._writing = asyncio.get_running_loop().create_task(self._write())

    def show(self, view: RoomView) -> None:
        """Tell what is new to it. A view that is older than what it saw has nothing."""
        here = view.here is not None and view.here != self._here
        frame = view.frame(self.sequence, self.revision, here=here)
        self.sequence = max(self.sequence, view.sequence)
        self.revision = max(self.revision, view.revision)
        self._here = view.here if here else self._here
        if frame is not None:
            self.tell(frame)

    def tell(self, frame: bytes) -> None:
        waiting = sum(map(len, self._pending))
        if len(self._pending) >= MOST_PENDING or (waiting and waiting + len(frame) > MOST_PENDING_BYTES):
            self.end(BEHIND)
            return
        self._pending.append(frame)
        self._news.set()
        self._is_taken.clear()

    async def answer(self, frame: bytes) -> None:
        """What was asked for: the next question is read when this was taken."""
        await self._carrier.tell(frame)

    async def taken(self) -> None:
        """Once the browser has taken all that it was told."""
        await self._is_taken.wait()

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._pending:
                await self._carrier.tell(self._pending.popleft())
            self._is_taken.set()

    async def close(self) -> None:
        self._writing.cancel()
        with suppress(asyncio.CancelledError):
            await self._writing
