"""How many requests Django works on at once: the others wait before they hold a thread and a connection."""

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings

from sessions_app.deadline import Deadline
from sessions_app.exceptions import Refused
from sessions_app.transport.response import Receive, Send

PATIENCE = 20.0
"""Seconds to wait for a turn."""
PROBES = {"/livez": 2, "/readyz": 2}
"""How many at once of what does not wait behind pages: who asks whether the server lives asks all the more when it
is busy. Anybody may ask, and each asks the database: without a limit, strangers could take all its connections."""


class Queue:
    """Lets `settings.WEB_THREADS` requests at once to `app`, in their order, each until its answer begins.

    Whoever reads an answer slowly keeps nobody waiting. Raises: Refused (503).
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]] = (
            WeakKeyDictionary()
        )

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        turn = self._turn_at(scope["path"])
        try:
            async with Deadline(PATIENCE):
                await turn.acquire()
        except TimeoutError:
            raise busy() from None
        has_turn = True

        async def send_on(message: Mapping[str, Any]) -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                turn.release()
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            if has_turn:
                turn.release()

    def _turn_at(self, path: str) -> asyncio.Semaphore:
        turns = self._turns.setdefault(asyncio.get_running_loop(), {})
        queue = path if path in PROBES else "pages"
        return turns.setdefault(queue, asyncio.Semaphore(PROBES.get(path, settings.WEB_THREADS)))


def busy() -> Refused:
    """A new one each time: one that is raised keeps what it was raised in, with the request and its body."""
    return Refused("The server is busy. Please try again.", status=503, headers=[(b"retry-after", b"1")])
