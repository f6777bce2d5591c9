"""What goes back over a WebSocket: one JSON-RPC message a text frame, whatever it belongs to."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from mcp_types import RequestId

from sessions_app.exceptions import Header
from sessions_app.models.session_lifetime import WEBSOCKET

from . import strict_json
from .carrier import Unread, in_time
from .response import Send, hang_up


class SocketCarrier:
    """The same for all exchanges of one socket."""

    transport = WEBSOCKET
    kind = "websocket"
    has_headers = False
    is_own = False
    takes_notifications = True

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_open = True
        self.is_hung_up = False

    @cached_property
    def _turn(self) -> asyncio.Lock:
        """Frames leave in the order in which they were given, however long the client lets them wait."""
        return asyncio.Lock()

    async def accept(self, subprotocol: str | None = None) -> None:
        await self._write({"type": "websocket.accept", "subprotocol": subprotocol})

    async def tell(self, message: bytes) -> None:
        await self._write({"type": "websocket.send", "text": message.decode()})

    async def reply(self, message: bytes, status: int, headers: Sequence[Header] = ()) -> None:
        await self.tell(message)

    async def end(self) -> None:
        """Nothing: that a request gets no reply is not said on this wire."""

    async def withdraw(self, request_id: RequestId) -> None:
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}
        await self.tell(strict_json.dumps(cancelled))

    async def watch(self) -> None:
        """The socket does that itself."""

    async def sign_of_life(self) -> None:
        """Pings are the server's."""

    async def close(self, code: int, reason: str) -> None:
        """Say why (RFC 6455, section 7.4; a reason has at most 123 bytes), and nothing after that."""
        await self._write({"type": "websocket.close", "code": code, "reason": reason})
        self.is_open = False

    def hang_up(self) -> None:
        self.is_open, self.is_hung_up = False, True
        hang_up(self._send)

    def lose(self) -> None:
        """The client has left."""
        self.is_open = False

    async def _write(self, message: Mapping[str, Any]) -> None:
        async with self._turn:
            if not self.is_open:
                return
            try:
                await in_time(self, self._send(message))
            except Unread:
                return  # and hung up on, which the socket hears of
            except OSError:  # the client left meanwhile (ASGI, WebSocket: disconnected client)
                self.is_open = False
