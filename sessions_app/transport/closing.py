"""Why a socket is closed, in the codes of RFC 6455, section 7.4.1, and two of ours (4000 to 4999 are free)."""

import asyncio
from typing import NamedTuple

from sessions_app.exceptions import Refused, SessionNotFound, Unauthenticated

from .socket_carrier import SocketCarrier


class Close(NamedTuple):
    code: int
    reason: str
    """For the client's developer to read, and in the session's row. At most 123 bytes (RFC 6455, section 5.5)."""


LONGEST_REASON = 123


UNSUPPORTED = Close(1003, "A message is one JSON-RPC message in a text frame")
SILENT = Close(1008, "No session was opened in time")
HEEDLESS = Close(1008, "Too many messages in a row were refused")
TOO_BIG = Close(1009, "The message is too large")
BROKEN = Close(1011, "The server failed")
STOPPING = Close(1012, "The server stops; connect again")
UNAUTHENTICATED = Close(4401, "The credential is not valid any more")
ENDED = Close(4403, "The session has ended")

LEFT, UNREAD = "by the client", "The client did not read"
"""What the session's row says where no code was sent."""


def closing_for(refusal: Refused | None) -> Close | None:
    """What a refusal means for the whole socket: that it is over, or nothing."""
    match refusal:
        case Unauthenticated():
            return UNAUTHENTICATED._replace(reason=fitting(refusal.message)) if refusal.told else UNAUTHENTICATED
        case SessionNotFound():
            return ENDED._replace(reason=fitting(refusal.message)) if refusal.told else ENDED
    return None


def fitting(reason: str) -> str:
    """As much as a close frame has room for, in whole characters."""
    return reason.encode()[:LONGEST_REASON].decode(errors="ignore")


class Closing:
    """How one socket ends: the first reason counts, and is said if the client still reads."""

    def __init__(self, carrier: SocketCarrier) -> None:
        self._carrier = carrier
        self._close: Close | None = None
        self._saying: asyncio.Task[None] | None = None

    @property
    def has_begun(self) -> bool:
        return self._close is not None or not self._carrier.is_open

    @property
    def why(self) -> str:
        """As the session's row says it."""
        if self._close is not None:
            return self._close.reason
        return UNREAD if self._carrier.is_hung_up else LEFT

    def begin(self, close: Close) -> None:
        if not self.has_begun:
            self._close = close
            self._saying = asyncio.get_running_loop().create_task(self._carrier.close(close.code, close.reason))

    async def done(self) -> None:
        if self._saying is not None:
            await self._saying
