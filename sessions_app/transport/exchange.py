"""One request and its reply: JSON until something is sent before the result, then SSE.

An `Exchange` is the SDK's `DispatchContext` for one POST: what a request means is the SDK's business,
and how its reply travels is ours.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import ProgressToken, RequestId

from sessions_app.deadline import Deadline, watch
from sessions_app.exceptions import Header

from . import strict_json

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

KEEP_ALIVE_EVERY = 15.0
"""Seconds after which a comment keeps proxies from closing a quiet stream."""
STILL_HERE = b": still here\r\n\r\n"
SLOWEST_READER = 10.0
"""Seconds that a client may leave our bytes unread before it is cut off."""

PRIVATE: list[Header] = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"Authorization, Origin, Accept"),
]
STREAM: list[Header] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-content-type-options", b"nosniff"),
    (b"vary", b"Authorization, Origin, Accept"),
    (b"x-accel-buffering", b"no"),
]
TRANSPORT = TransportContext(kind="streamable-http", can_send_request=False)


class Exchange:
    """The reply to one POST, and whether anybody still waits for it."""

    transport = TRANSPORT
    can_send_request = False  # a 2026-07-28 server asks nothing of its own accord

    def __init__(
        self,
        receive: Receive,
        send: Send,
        request_id: RequestId,
        *,
        progress_token: ProgressToken | None,
        accepts_stream: bool,
    ) -> None:
        self.request_id = request_id
        self.message_metadata: ServerMessageMetadata | None = None
        self._receive = receive
        self._send = send
        self._progress_token = progress_token
        self._accepts_stream = accepts_stream
        self._is_streaming = False
        self._is_over = False
        self._is_cut = False
        self._task: asyncio.Task[Any] | None = None
        self._is_watched = False
        self._quiet_until = 0.0
        self._companions: set[asyncio.Task[None]] = set()

    @cached_property
    def cancel_requested(self) -> anyio.Event:
        """Never set here: on this wire cancelling is closing the stream, which cancels the task."""
        return anyio.Event()

    @cached_property
    def _turn(self) -> asyncio.Lock:
        """Who writes to the stream: a handler, its progress from a thread, a sign of life, the result, in turn."""
        return asyncio.Lock()

    # --- What a handler may do while it works (mcp.shared.dispatcher.DispatchContext) ---

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        if self._accepts_stream and not self._is_over:
            notification: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
            if params is not None:
                notification["params"] = params
            await self._write_event(event(strict_json.dumps(notification)))

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        if self._progress_token is None:
            return
        params: dict[str, Any] = {"progressToken": self._progress_token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)

    def progress_soon(self, progress: float, total: float | None, message: str | None) -> None:
        """As `progress`, for who cannot await."""
        if not self._is_over:
            self.accompany(self.progress(progress, total, message))

    # --- Running it ---

    async def serve[T](self, work: Awaitable[T]) -> T | None:
        """Await `work` while watching the client. None if it left or stopped reading: that cancels `work`."""
        self._task = task = asyncio.current_task()
        watch.add(self)
        try:
            return await work
        except asyncio.CancelledError:
            if not self._is_cut or task is None or task.uncancel() > 0:
                raise
            return None
        finally:
            self._is_over = True
            self._task = None  # no cycles: what a call leaves behind is freed at once, not by the collector
            watch.remove(self)
            for companion in tuple(self._companions):
                companion.cancel()

    def cut(self) -> None:
        """Nobody reads the reply any more, or nobody may: stop working on it."""
        if self._task is not None and not self._is_over and not self._is_cut:
            self._is_cut = True
            self._task.cancel()

    def accompany(self, companion: Coroutine[Any, Any, None]) -> None:
        """Run `companion` beside the work, until the work ends."""
        task = asyncio.get_running_loop().create_task(companion)
        self._companions.add(task)
        task.add_done_callback(self._companions.discard)

    def look(self, now: float) -> None:
        """Every tick. Most calls are done before the first, and never pay for a task that waits with them."""
        if not self._is_watched:
            self._is_watched = True
            self._quiet_until = now + KEEP_ALIVE_EVERY
            self.accompany(self._watch_client())
        elif now >= self._quiet_until and self._accepts_stream:
            self._quiet_until = now + KEEP_ALIVE_EVERY
            self.accompany(self._write_event(STILL_HERE))

    async def _watch_client(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.cut()

    # --- Writing ---

    async def reply(self, message: bytes, status: int) -> None:
        """The last thing sent: the result or the error, as JSON. `status` counts only if nothing was streamed."""
        if self._is_streaming:
            async with self._turn:
                await self._write(event(message), more=False)
        else:
            await respond(self._send, status, message)

    async def _write_event(self, data: bytes) -> None:
        async with self._turn:
            if not self._is_streaming:
                self._is_streaming = True
                await self._send({"type": "http.response.start", "status": 200, "headers": STREAM})
            await self._write(data, more=True)

    async def _write(self, data: bytes, *, more: bool) -> None:
        try:
            async with Deadline(SLOWEST_READER):
                await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except TimeoutError:
            self.cut()
            await asyncio.sleep(0)  # where the cancellation arrives, before anything more is written


def event(message: bytes) -> bytes:
    """One SSE frame (WHATWG HTML, section 9.2). JSON has no raw line breaks, so one `data:` line is enough."""
    return b"event: message\r\ndata: " + message + b"\r\n\r\n"


async def respond(send: Send, status: int, message: bytes | None, headers: list[Header] | None = None) -> None:
    """A whole HTTP response carrying one JSON-RPC message, or none (202)."""
    body = message or b""
    lines = [*PRIVATE, (b"content-length", b"%d" % len(body)), *(headers or ())]
    if message is not None:
        lines.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
