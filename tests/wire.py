"""Speaking to the ASGI application as a client would, one request at a time, without sockets."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Self

from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from project.asgi import application

VERSION = "2026-07-28"
HANDSHAKE_VERSION = "2025-11-25"
HANDSHAKE_VERSIONS = ("2025-03-26", "2025-06-18", HANDSHAKE_VERSION)
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """All but the one in which no two answers are alike, which is `request_id`."""
    body: bytes = b""
    request_id: str = field(default="", compare=False)

    def begin(self, event: Mapping[str, Any]) -> None:
        self.status = event.get("status", 101)
        self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        self.request_id = self.headers.pop("x-request-id", "")

    @property
    def is_stream(self) -> bool:
        return self.headers["content-type"] == "text/event-stream"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every JSON-RPC message of the answer; the result or error is the last."""
        if not self.is_stream:
            return [json.loads(self.body)]
        lines = self.body.decode().splitlines()
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = self.messages[-1]["result"]
        return result

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.messages[-1]["error"]
        return error

    @property
    def text(self) -> str:
        text: str = self.result["content"][0]["text"]
        return text


class Exchange:
    """One POST under way: what arrived so far, and the means to leave. Of `reads` parts, if it stops reading."""

    def __init__(
        self, body: bytes, headers: list[tuple[bytes, bytes]], *, reads: float = float("inf"), **scope: Any
    ) -> None:
        self.answer = Answer()
        self.responses = 0
        self._reads = reads
        self.arrived = asyncio.Event()
        self._left = asyncio.Event()
        self._parts = [{"type": "http.request", "body": body, "more_body": False}]
        defaults = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "query_string": b"",
            "client": ("127.0.0.1", 5),
        }
        self._scope = {**defaults, "scheme": "http", "raw_path": b"/mcp", "headers": headers, **scope}
        self.task = asyncio.create_task(application(self._scope, self._receive, self._send))

    async def _receive(self) -> Mapping[str, Any]:
        if self._parts:
            return self._parts.pop(0)
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.responses += 1
            self.answer.begin(message)
        else:
            self.answer.body += message.get("body", b"")
            self.arrived.set()
            self._reads -= 1
            if self._reads <= 0:
                await asyncio.Event().wait()  # as uvicorn, when the socket takes no more

    def leave(self) -> None:
        self._left.set()

    async def wait(self) -> Answer:
        await asyncio.wait_for(self.task, 10)
        return self.answer

    async def wait_for(self, text: str) -> None:
        """Until `text` has arrived."""
        async with asyncio.timeout(5):
            while text.encode() not in self.answer.body:
                self.arrived.clear()
                await self.arrived.wait()

    async def asked(self, method: str = "elicitation/create") -> dict[str, Any]:
        """The server's request to the client, once it is here."""
        await self.wait_for(f'"method":"{method}"')
        return [message for message in self.answer.messages if message.get("method") == method][-1]


async def until(condition: Callable[[], object]) -> None:
    """For what comes true without an event that a test could wait for."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.002)


def encoded(headers: Mapping[str, str | None]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items() if value is not None]


@dataclass
class Wire:
    """A client with one key."""

    key: str | None
    client: Mapping[str, Any] = field(default_factory=lambda: {"name": "pytest", "version": "1"})
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    def request(self, method: str, params: Mapping[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
        envelope = {
            PROTOCOL_VERSION_META_KEY: VERSION,
            CLIENT_INFO_META_KEY: self.client,
            CLIENT_CAPABILITIES_META_KEY: self.capabilities,
        }
        return {
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {**(params or {}), "_meta": envelope | meta},
        }

    def headers(self, message: Mapping[str, Any]) -> dict[str, str]:
        headers = {
            "host": "127.0.0.1:8000",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": str(message.get("method")),
        }
        if (key := NAMED.get(str(message.get("method")))) is not None:
            headers["mcp-name"] = str(message["params"].get(key))
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        return headers

    def open(
        self, message: Mapping[str, Any] | bytes, headers: Mapping[str, str | None] | None = None, **scope: Any
    ) -> Exchange:
        """Start a POST. `headers` replace the usual ones; None takes one away."""
        usual = self.headers(message if isinstance(message, Mapping) else {})
        raw = encoded({**usual, **(headers or {})})
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return Exchange(body, scope.pop("raw_headers", raw), **scope)

    async def post(self, message: Mapping[str, Any] | bytes, **kwargs: Any) -> Answer:
        return await self.open(message, **kwargs).wait()

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return await self.post(self.request(method, params), **kwargs)

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return await self.ask("tools/call", {"name": name, "arguments": arguments or {}}, **kwargs)


@dataclass
class Durable:
    """A client of the handshake era with one key and one session."""

    key: str | None
    version: str | None = HANDSHAKE_VERSION
    session_id: str | None = None
    client: Mapping[str, Any] = field(default_factory=lambda: {"name": "pytest", "version": "1"})
    capabilities: Mapping[str, Any] = field(
        default_factory=lambda: {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}}
    )
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    @classmethod
    async def open(cls, key: str | None, version: str = HANDSHAKE_VERSION, **details: Any) -> Self:
        """A client that shook hands."""
        client = cls(key, version, **details)
        answer = await client.initialize()
        assert answer.result["protocolVersion"] == version
        client.session_id = answer.headers["mcp-session-id"]
        assert (await client.notify("notifications/initialized")).status == 202
        return client

    async def initialize(self, **params: Any) -> Answer:
        """The first request, which knows no session and no version yet."""
        usual = {"protocolVersion": self.version, "clientInfo": self.client, "capabilities": self.capabilities}
        first = {name: value for name, value in {**usual, **params}.items() if value is not ...}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": first}
        return await self.post(message, headers={"mcp-session-id": None, "mcp-protocol-version": None})

    def headers(self) -> dict[str, str | None]:
        return {
            "host": "127.0.0.1:8000",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": self.version,
            "mcp-session-id": self.session_id,
            "authorization": None if self.key is None else f"Bearer {self.key}",
        }

    def request(self, method: str, params: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": next(self.ids), "method": method, **members}
        return message if params is None else {**message, "params": params}

    def calling(self, name: str, arguments: Mapping[str, Any] | None = None, **members: Any) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments or {}, "_meta": {"progressToken": "p1"}}
        return self.request("tools/call", params, **members)

    def open_post(
        self, message: object, headers: Mapping[str, str | None] | None = None, **scope: Any
    ) -> Exchange:
        """Start a POST. `headers` replace the usual ones; None takes one away."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return Exchange(body, encoded({**self.headers(), **(headers or {})}), **scope)

    async def post(self, message: object, **kwargs: Any) -> Answer:
        return await self.open_post(message, **kwargs).wait()

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return await self.post(self.request(method, params), **kwargs)

    def begin(self, name: str, arguments: Mapping[str, Any] | None = None, **kwargs: Any) -> Exchange:
        """Start a call."""
        return self.open_post(self.calling(name, arguments, **kwargs))

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return await self.post(self.calling(name, arguments), **kwargs)

    async def notify(self, method: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        message = {"jsonrpc": "2.0", "method": method}
        return await self.post(message if params is None else {**message, "params": params}, **kwargs)

    async def cancel(self, request_id: object) -> Answer:
        return await self.notify("notifications/cancelled", {"requestId": request_id})

    async def reply(self, request_id: object, result: Mapping[str, Any]) -> Answer:
        return await self.post({"jsonrpc": "2.0", "id": request_id, "result": result})

    async def accept(self, request_id: object, **content: Any) -> Answer:
        return await self.reply(request_id, {"action": "accept", "content": content})

    async def refuse(self, request_id: object, code: int, message: str) -> Answer:
        return await self.post({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})

    def open_get(self, headers: Mapping[str, str | None] | None = None, **scope: Any) -> Exchange:
        usual = {**self.headers(), "content-type": None, "accept": "text/event-stream"}
        return Exchange(b"", encoded({**usual, **(headers or {})}), method="GET", **scope)

    async def get(self, headers: Mapping[str, str | None] | None = None, **scope: Any) -> Exchange:
        """The stream for what no request asked for, once it is open."""
        stream = self.open_get(headers, **scope)
        await stream.wait_for("retry:")
        return stream

    async def delete(self, headers: Mapping[str, str | None] | None = None) -> Answer:
        usual = {**self.headers(), "content-type": None}
        return await Exchange(b"", encoded({**usual, **(headers or {})}), method="DELETE").wait()

    def with_key(self, key: str | None) -> "Durable":
        """The same session id in other hands."""
        return replace(self, key=key)

    def with_id(self, session_id: str | None) -> "Durable":
        return replace(self, session_id=session_id)
