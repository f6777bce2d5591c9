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
from sessions_app.exceptions import Refused

from . import strict_json
from .response import STREAM, Receive, Send, event, hang_up, respond

KEEP_ALIVE_EVERY = 15.0
"""Seconds after which a comment keeps proxies from closing a quiet stream."""
STILL_HERE = b": still here\r\n\r\n"
SLOWEST_READER = 10.0
"""Seconds that a client may leave our bytes unread before it is cut off."""

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
        self._is_read = True
        self._task: asyncio.Task[Any] | None = None
        self._is_watched = False
        self._quiet_until = 0.0
        self._companions: set[asyncio.Task[None]] = set()
        self._because: Refused | None = None

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
        if self._accepts_stream and self._is_read and not self._is_over:
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

    async def serve(self, work: Awaitable[None], refusal: Callable[[Refused], bytes] | None = None) -> None:
        """Await `work`, which replies, while watching the client. If it is cut, `refusal` words the reply."""
        self._task = task = asyncio.current_task()
        watch.add(self)
        try:
            await work
        except asyncio.CancelledError:
            is_ours = self._is_cut and task is not None and task.uncancel() == 0
            if not is_ours:
                self._because = Refused("The server stopped before this was done.", status=503)
            if self._is_read and not self._is_over:
                await self._reply_to_the_end(refusal)
            if not is_ours:
                raise
        finally:
            self._is_over = True
            self._task = None  # no cycles: what a call leaves behind is freed at once, not by the collector
            watch.remove(self)
            for companion in tuple(self._companions):
                companion.cancel()

    @property
    def lasts(self) -> bool:
        """Whether it was under way at the last tick, as hardly any call is."""
        return self._is_watched

    def cut(self, because: Refused | None = None) -> None:
        """Stop working on it: nobody wants the reply any more (None), or nobody may have it."""
        if self._task is not None and not self._is_over and not self._is_cut:
            self._is_cut = True
            self._because = because
            self._task.cancel()

    def lose_reader(self) -> None:
        """The client left or stopped reading. On the 2026 wire that is how it cancels."""
        self._is_read = False
        self.cut()

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
        self.lose_reader()

    # --- Writing ---

    async def begin(self, preamble: bytes) -> None:
        """Start the stream before there is anything to tell."""
        await self._write_event(preamble)

    async def finish(self) -> None:
        """End the stream as it is."""
        if self._is_read:
            await self._write(b"", more=False)

    async def _reply_to_the_end(self, refusal: Callable[[Refused], bytes] | None) -> None:
        """What is said of work that was cut. A client that cancelled gets no response (MCP, Cancellation)."""
        if self._because is not None and refusal is not None:
            await self.reply(refusal(self._because), self._because.status)
        elif self._is_streaming:
            await self.finish()
        else:
            await respond(self._send, 202, None)

    async def reply(self, message: bytes, status: int) -> None:
        """The last thing sent: the result or the error, as JSON. `status` counts only if nothing was streamed."""
        if not self._is_read:
            return
        self._is_over = True  # too late to cut it: what else is said now would end up inside of it
        if self._is_streaming:
            async with self._turn:
                await self._write(event(message), more=False)
        else:
            await self._deliver(respond(self._send, status, message))

    async def _write_event(self, data: bytes) -> None:
        async with self._turn:
            if self._is_over:
                return
            if not self._is_streaming:
                self._is_streaming = True
                await self._send({"type": "http.response.start", "status": 200, "headers": STREAM})
            await self._write(data, more=True)

    async def _write(self, data: bytes, *, more: bool) -> None:
        if self._is_read:
            await self._deliver(self._send({"type": "http.response.body", "body": data, "more_body": more}))

    async def _deliver(self, sending: Awaitable[None]) -> None:
        """Who does not read in time is hung up on."""
        try:
            async with Deadline(SLOWEST_READER):
                await sending
        except TimeoutError:
            hang_up(self._send)
            self.lose_reader()
            await asyncio.sleep(0)  # where the cancellation arrives, before anything more is written
