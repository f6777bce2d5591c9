"""One request and its reply, on whichever wire.

An `Exchange` is the SDK's `DispatchContext` for one request: what a request means is the SDK's business,
and how its reply travels is the carrier's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import Any, get_args

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import LoggingLevel, ProgressToken, RequestId

from sessions_app.deadline import watch
from sessions_app.exceptions import Header, Refused

from . import strict_json
from .carrier import Carrier, Unread

KEEP_ALIVE_EVERY = 15.0
"""Seconds after which a quiet stream gets a sign of life."""
LOG_LEVELS = get_args(LoggingLevel)
"""From debug to emergency."""
STOPPED = Refused("The server stopped before this was done.", status=503)


class Exchange:
    """The reply to one request, and whether anybody still waits for it."""

    can_send_request = False  # a 2026-07-28 server asks nothing of its own accord

    log_level = ""
    """The least that its client asked to be told of what is logged; empty: it did not ask."""

    def __init__(
        self,
        carrier: Carrier,
        request_id: RequestId,
        *,
        progress_token: ProgressToken | None = None,
        log_level: str = "",
    ) -> None:
        if log_level and log_level in LOG_LEVELS:
            self.log_level = log_level
        self.request_id = request_id
        self.message_metadata: ServerMessageMetadata | None = None
        self._carrier = carrier
        self._progress_token = progress_token
        self._is_over = False
        self._is_cut = False
        self._is_withdrawn = False
        self._is_read = True
        self._task: asyncio.Task[Any] | None = None
        self._is_watched = False
        self._quiet_until = 0.0
        self._companions: set[asyncio.Task[None]] = set()
        self._because: Refused | None = None

    @cached_property
    def cancel_requested(self) -> anyio.Event:
        """Never set: whoever cancels, by whatever means the wire has, cancels the task."""
        return anyio.Event()

    @property
    def transport(self) -> TransportContext:
        return TransportContext(kind=self._carrier.kind, can_send_request=self.can_send_request)

    # --- What a handler may do while it works (mcp.shared.dispatcher.DispatchContext) ---

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        if self.can_tell:
            notification: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
            if params is not None:
                notification["params"] = params
            await self.tell(strict_json.dumps(notification))

    @property
    def is_over(self) -> bool:
        """Replied to, or given up."""
        return self._is_over

    @property
    def can_tell(self) -> bool:
        """Whether anything that is sent before the reply has a way, and a reader."""
        return self._carrier.takes_notifications and self._is_read and not self._is_over

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

    def log_soon(self, level: str, logger: str, data: Any) -> None:
        """Tell the client what is logged, if it asked for that; for who cannot await."""
        asked_for = self.log_level
        if not self._is_over and asked_for and LOG_LEVELS.index(level) >= LOG_LEVELS.index(asked_for):
            self.accompany(self.notify("notifications/message", {"level": level, "logger": logger, "data": data}))

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
                self._because = STOPPED
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

    def withdraw(self) -> None:
        """End a subscription of our own accord, with nothing to say of it but that."""
        self._is_withdrawn = not self._is_cut
        self.cut()

    def lose_reader(self) -> None:
        """The client left or stopped reading. In 2026-07-28 that is how it cancels over HTTP."""
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
            if self._carrier.is_own:
                self.accompany(self._watch_client())
        elif now >= self._quiet_until and self._carrier.is_own:
            self._quiet_until = now + KEEP_ALIVE_EVERY
            self.accompany(self._give_sign_of_life())

    async def _watch_client(self) -> None:
        await self._carrier.watch()
        self.lose_reader()

    async def _give_sign_of_life(self) -> None:
        await self.deliver(self._carrier.sign_of_life())

    # --- Sending ---

    async def tell(self, message: bytes) -> None:
        """Send what is not the reply."""
        await self.deliver(self._carrier.tell(message))

    async def reply(self, message: bytes, status: int, headers: Sequence[Header] = ()) -> None:
        """The last thing sent: the result or the error, as JSON. `status` and `headers` count only if nothing was
        streamed."""
        if self._is_read:
            self._is_over = True  # too late to cut it: what else is said now would end up inside of it
            await self.deliver(self._carrier.reply(message, status, headers))

    async def finish(self) -> None:
        """End as it is, without a reply."""
        if self._is_read:
            await self.deliver(self._carrier.end())

    async def _reply_to_the_end(self, refusal: Callable[[Refused], bytes] | None) -> None:
        """What is said of work that was cut. A client that cancelled gets no response (MCP, Cancellation)."""
        if self._because is not None and refusal is not None:
            await self.reply(refusal(self._because), self._because.status, self._because.headers)
        elif self._is_withdrawn:
            await self.deliver(self._carrier.withdraw(self.request_id))
        else:
            await self.finish()

    async def deliver(self, sending: Awaitable[None]) -> None:
        """Who does not read in time was hung up on."""
        try:
            await sending
        except Unread:
            self.lose_reader()
            await asyncio.sleep(0)  # where the cancellation arrives, before anything more is written
