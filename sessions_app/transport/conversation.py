"""One request of the handshake era and its reply, during which the server may ask the client back."""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from typing import Any

import orjson
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.subscriptions import ResourceUpdated, event_from_wire
from mcp_types import (
    INTERNAL_ERROR,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    REQUEST_TIMEOUT,
)
from mcp_types.methods import validate_client_result
from pydantic import ValidationError

from sessions_app.deadline import time_of_call
from sessions_app.exceptions import TooManyQuestions
from sessions_app.models import ServerRequest, Session
from sessions_app.models.server_request import LIFETIME

from . import strict_json
from .asking import Stopping, question, reply_to
from .bus import bus
from .ends import ends
from .events import SessionListChanged
from .exchange import LOG_LEVELS, Exchange

LEAST_LOGGED = "info"
"""For a client that did not say."""
STOPPING = "The server stops, and cannot wait for a reply; call again"
NEEDED = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
"""The capability with which a client says that it answers; others are not asked, for they might never do so."""


FORMS: dict[str, Any] = {"form": {}}


class Conversation(Exchange):
    """An exchange that goes on when its client drops the connection: here only a notification cancels.

    What it sends from then on is lost, the result too. Nothing is kept to be replayed (`Last-Event-ID`):
    it would cost a write for each event, for a client that can as well call again.
    """

    def __init__(self, *args: Any, session: Session, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session = session
        """As it is now: what its client wants logged may have changed since it began."""

    @property
    def session_id(self) -> int:
        return self.session.pk

    @property
    def log_level(self) -> str:  # type: ignore[override]
        return self.session.log_level

    @property
    def can_send_request(self) -> bool:  # type: ignore[override]
        return self.can_tell

    def lose_reader(self) -> None:
        self._is_read = False

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        if method != "notifications/message" or self._is_wanted((params or {})["level"]):
            await super().notify(method, params, opts)

    def _is_wanted(self, level: str) -> bool:
        return LOG_LEVELS.index(level) >= LOG_LEVELS.index(self.session.log_level or LEAST_LOGGED)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client, and wait as long as people may think. The call's own time stands still meanwhile.

        Raises: MCPError: what the client replied, -32001 if it did not, -32021 if it cannot; NoBackChannelError.
        """
        if not self.can_send_request:
            raise NoBackChannelError(method)
        self._require_capability(method, params or {})
        seconds = min((opts or {}).get("timeout", float("inf")), LIFETIME.total_seconds())
        try:
            async with question(self.session, method) as request:
                reply = await self._put(request, params, seconds)
        except TooManyQuestions as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None
        except Stopping:
            raise MCPError(REQUEST_TIMEOUT, STOPPING) from None
        if "error" in reply:
            refused = reply["error"]
            raise MCPError(refused["code"], refused["message"], refused.get("data"))
        return self._checked(method, reply["result"])

    async def _put(
        self, request: ServerRequest, params: Mapping[str, Any] | None, seconds: float
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request.request_id, "method": request.method}
        if params is not None:
            message["params"] = params
        limit = time_of_call.get()
        with limit.paused() if limit is not None else nullcontext():
            await self.tell(strict_json.dumps(message))
            reply = await self._reply(request, seconds)
            await ends.check(self, self.session_id)
            return reply

    def _checked(self, method: str, result: dict[str, Any]) -> dict[str, Any]:
        """What the client replied, if it is what MCP lets it reply. Of what it was not, nothing is repeated."""
        with suppress(KeyError):  # a method of an extension has a form of its own
            try:
                validate_client_result(method, self.session.protocol_version, result)
            except ValidationError:
                raise ToolError(f"The client's reply to {method} is malformed.") from None
        return result

    def _require_capability(self, method: str, params: Mapping[str, Any]) -> None:
        if (needed := NEEDED.get(method)) is None:
            return
        declared = orjson.loads(self.session.capabilities).get(needed)
        mode: dict[str, Any] = {params.get("mode", "form"): {}} if needed == "elicitation" else {}
        # An empty `elicitation` is from before there were modes, and means forms.
        if declared is None or not mode.keys() <= (declared or FORMS).keys():
            raise MCPError(
                MISSING_REQUIRED_CLIENT_CAPABILITY,
                f"The client did not declare the {needed} capability that this takes",
                {"requiredCapabilities": {needed: mode}},
            )

    async def _reply(self, request: ServerRequest, seconds: float) -> dict[str, Any]:
        try:
            return await reply_to(request, seconds)
        except TimeoutError:
            reason = f"The client did not reply within {seconds:g} s"
        except Stopping:
            reason = STOPPING
        await self.notify("notifications/cancelled", {"requestId": request.request_id, "reason": reason})
        raise MCPError(REQUEST_TIMEOUT, reason)


class Standalone:
    """The SDK's channel for what belongs to no request.

    That a resource changed is published to all whom it concerns, and that a list did goes to this session's
    GET stream, wherever that is held. Anything else goes the way of the call that is being handled.
    """

    def __init__(self, exchange: Conversation) -> None:
        self._exchange = exchange

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        change = event_from_wire(method, params)
        if isinstance(change, ResourceUpdated):
            bus.publish(change)
        elif change is not None:
            bus.publish(SessionListChanged(self._exchange.session_id, method))
        else:
            await self._exchange.notify(method, params, opts)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        return await self._exchange.send_raw_request(method, params, opts)
