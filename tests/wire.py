"""Speaking to the ASGI application as a client would, one POST at a time, without sockets."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from project.asgi import application

VERSION = "2026-07-28"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

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
            self.answer.status = message["status"]
            self.answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
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
        merged = {**usual, **(headers or {})}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in merged.items() if value is not None]
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return Exchange(body, scope.pop("raw_headers", raw), **scope)

    async def post(self, message: Mapping[str, Any] | bytes, **kwargs: Any) -> Answer:
        return await self.open(message, **kwargs).wait()

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return await self.post(self.request(method, params), **kwargs)

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **kwargs: Any) -> Answer:
        return await self.ask("tools/call", {"name": name, "arguments": arguments or {}}, **kwargs)
