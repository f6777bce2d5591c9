"""The response to one HTTP request: JSON until something is sent before the reply, then SSE."""

import asyncio
from collections.abc import Sequence
from functools import cached_property

from mcp_types import RequestId

from sessions_app.exceptions import Header
from sessions_app.models.session_lifetime import HTTP

from .carrier import in_time
from .response import STREAM, Receive, Send, event, hang_up, respond, send_last

STILL_HERE = b": still here\r\n\r\n"
"""A comment, which keeps proxies from closing a quiet stream."""


class HttpCarrier:
    transport = HTTP
    kind = "streamable-http"
    has_headers = True
    is_own = True

    def __init__(self, receive: Receive, send: Send, *, accepts_stream: bool) -> None:
        self.takes_notifications = accepts_stream
        self._receive = receive
        self._send = send
        self._is_streaming = False
        self._is_over = False

    @cached_property
    def _turn(self) -> asyncio.Lock:
        """Who writes to the stream: a handler, its progress from a thread, a sign of life, the result, in turn."""
        return asyncio.Lock()

    async def begin(self, preamble: bytes) -> None:
        """Start the stream before there is anything to tell."""
        await self._write_event(preamble)

    async def tell(self, message: bytes) -> None:
        await self._write_event(event(message))

    async def reply(self, message: bytes, status: int, headers: Sequence[Header] = ()) -> None:
        self._is_over = True
        if self._is_streaming:
            async with self._turn:
                await in_time(self, send_last(self._send, event(message)))
        else:
            await in_time(self, self.respond(status, message, headers))

    async def respond(self, status: int, message: bytes | None, headers: Sequence[Header] = ()) -> None:
        """A whole response to what is no call."""
        await respond(self._send, status, message, list(headers))

    async def end(self) -> None:
        self._is_over = True
        if self._is_streaming:
            await in_time(self, self._write(b"", more=False))
        else:
            await respond(self._send, 202, None)

    async def withdraw(self, request_id: RequestId) -> None:
        await self.end()

    async def watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def sign_of_life(self) -> None:
        if self.takes_notifications:
            await self._write_event(STILL_HERE)

    def hang_up(self) -> None:
        self._is_over = True
        hang_up(self._send)

    async def _write_event(self, data: bytes) -> None:
        async with self._turn:
            if self._is_over:
                return
            await in_time(self, self._write_more(data))

    async def _write_more(self, data: bytes) -> None:
        if not self._is_streaming:
            self._is_streaming = True
            await self._send({"type": "http.response.start", "status": 200, "headers": STREAM})
        await self._write(data, more=True)

    async def _write(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
