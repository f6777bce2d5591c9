"""A call from within this process: the same way as any call, on no wire. For `manage.py call` and for tests."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self

from django.conf import settings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    INTERNAL_ERROR,
    LOG_LEVEL_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    ErrorData,
    RequestId,
)
from mcp_types.version import LATEST_MODERN_VERSION

from sessions_app.admission import admit
from sessions_app.callers import Presented
from sessions_app.credentials import command
from sessions_app.exceptions import Header, Refused
from sessions_app.models import User
from sessions_app.models.session_lifetime import HTTP
from sessions_app.state import state
from sessions_app.transport import strict_json
from sessions_app.transport.envelope import read_client
from sessions_app.transport.jsonrpc import Message, error, parse
from sessions_app.transport.kernel import answer
from sessions_app.transport.presence import session_of
from sessions_app.transport.refusal import body_of
from sessions_app.transport.request import Request
from sessions_app.transport.rules import Rules, operation_of
from sessions_app.transport.stateless import exchange_for

from .registry import registry
from .server import McpServer

Hear = Callable[[dict[str, Any]], None]
"""Takes a notification, as JSON-RPC."""


class Kept:
    """The carrier of one call: hands on what is told before the response, and keeps that."""

    transport = HTTP  # whose sessions are found by who calls, as here; a socket's are not
    kind = "direct"
    has_headers = False
    is_own = False
    takes_notifications = True

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self.response: dict[str, Any] = {"error": error(INTERNAL_ERROR, "It ended without a response.")}

    async def tell(self, message: bytes) -> None:
        self._hear(json.loads(message))

    async def reply(self, message: bytes, status: int, headers: Sequence[Header] = ()) -> None:
        self.response = json.loads(message)

    async def end(self) -> None:
        """Nothing is open."""

    async def withdraw(self, request_id: RequestId) -> None:
        """Nothing is open."""

    async def watch(self) -> None:
        """Never asked: it is not the exchange's own, and whoever is within does not leave."""

    async def sign_of_life(self) -> None:
        """Never asked, for the same reason."""

    def hang_up(self) -> None:
        """Whoever is within has always read."""


@dataclass(frozen=True)
class Result:
    """What a tool returned, or what it failed with."""

    raw: dict[str, Any]
    """As it goes onto the wire."""
    told: list[dict[str, Any]]
    """The notifications before it, such as progress, as JSON-RPC."""

    @property
    def content(self) -> list[dict[str, Any]]:
        return list(self.raw.get("content", ()))

    @cached_property
    def text(self) -> str:
        """Of all its texts."""
        return "\n".join(block["text"] for block in self.content if block["type"] == "text")

    @property
    def structured(self) -> Any:
        """Its structured content; None if it has none."""
        return self.raw.get("structuredContent")

    @property
    def is_error(self) -> bool:
        """Whether the tool failed, did not like its arguments, or took too long: `text` says which."""
        return bool(self.raw.get("isError"))


@dataclass(frozen=True, slots=True)
class Insider:
    """Calls tools as whoever is presented. The record and the session call the program `client`."""

    presented: Presented
    client: str
    ip: str | None = None

    @classmethod
    def of(cls, user: User, client: str) -> Self:
        """Who needs no credential: whoever runs a command or a test may be anybody."""
        return cls(command.presented(user.pk), client)

    async def call(self, name: str, arguments: Mapping[str, Any], hear: Hear | None = None) -> Result:
        """Raises: MCPError for what is no result, such as an unknown tool or a limit that is used up."""
        told: list[dict[str, Any]] = []
        response = await self._response(self._request(name, arguments), hear or told.append)
        if "error" in response:
            raise MCPError.from_error_data(ErrorData.model_validate(response["error"]))
        return Result(response["result"], told)

    def _request(self, name: str, arguments: Mapping[str, Any]) -> bytes:
        """That of a client which wants to hear everything, and cannot be asked anything."""
        meta = {
            PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
            CLIENT_INFO_META_KEY: {"name": self.client, "version": settings.VERSION},
            CLIENT_CAPABILITIES_META_KEY: {},
            LOG_LEVEL_META_KEY: "debug",
            "progressToken": 1,
        }
        params = {"name": name, "arguments": dict(arguments), "_meta": meta}
        return strict_json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    async def _response(self, request: bytes, hear: Hear) -> dict[str, Any]:
        message = None
        carrier = Kept(hear)
        try:
            message = parse(request)
            assert isinstance(message, Message)  # noqa: S101 (it was made as one)
            await self._serve(message, carrier)
        except Refused as refusal:
            return dict(json.loads(body_of(refusal, message)))
        return carrier.response

    async def _serve(self, message: Message, carrier: Kept) -> None:
        """As `transport/stateless.py` does it. Raises: Refused."""
        rules = Rules(server(), message)
        admitted = await admit(self.presented, rules, operation_of(message, ""))
        try:
            client = read_client(message, None)
            request = Request({"client": (self.ip or "", 0)}, carrier, {}, admitted, message)
            call = request.call(await session_of(request, client), exchange_for(carrier, message), client.version)
            await answer(server(), call, message, client.connection, {})
        finally:
            state.finish(admitted.ticket)


@cache
def server() -> McpServer:
    return McpServer(registry)


def words_of(notification: dict[str, Any]) -> str:
    """What was told, for people."""
    about = notification.get("params") or {}
    match notification["method"]:
        case "notifications/progress":
            total = f"/{about['total']:g}" if "total" in about else ""
            return f"{about['progress']:g}{total} {about.get('message', '')}".rstrip()
        case "notifications/message":
            said = about["data"]
            return f"{about['level']}: {said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)}"
        case method:
            return f"{method} {json.dumps(about, ensure_ascii=False)}"
