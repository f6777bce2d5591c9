"""What a client sends over its socket, message by message, until there is a reason to hear no more."""

import time
from contextlib import nullcontext
from typing import Any

from sessions_app.deadline import Deadline

from .closing import SILENT, TOO_BIG, UNSUPPORTED, Close
from .guard import LARGEST_MESSAGE
from .response import Receive

SLOWEST_OPENING = 15.0
"""Seconds in which a client has to open a session; a socket without one is nobody's to end."""


class Ended(Exception):
    """There is no other message, because the client has left (None), or has to."""

    def __init__(self, close: Close | None) -> None:
        super().__init__(close)
        self.close = close


class Inbox:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._silent_at = time.monotonic() + SLOWEST_OPENING
        self.may_be_silent = False
        """Since there is a session. What opening one takes is not counted."""

    async def message(self) -> bytes:
        """The next text frame's. Raises: Ended."""
        try:
            async with nullcontext() if self.may_be_silent else Deadline(self._silent_at - time.monotonic()):
                event: dict[str, Any] = await self._receive()
        except TimeoutError:
            raise Ended(SILENT) from None
        if event["type"] == "websocket.disconnect":
            raise Ended(None)
        if (text := event.get("text")) is None:
            raise Ended(UNSUPPORTED)
        body: bytes = text.encode()
        if len(body) > LARGEST_MESSAGE:
            raise Ended(TOO_BIG)
        return body
