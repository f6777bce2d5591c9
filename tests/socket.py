"""Speaking to the ASGI application over a WebSocket, as a client would, without sockets."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

from project.asgi import application
from tests.wire import HANDSHAKE_VERSION, Answer, Wire, encoded

PATIENCE = 5
STATUSES = {-32029: 429, 4401: 401, 4403: 404}
"""What HTTP says of an error, or of what closes a socket."""
USUAL = {"host": "127.0.0.1:8000", "connection": "Upgrade", "upgrade": "websocket"}


class Line:
    """One connection. `answer` is how its handshake was answered, with 101 if it was let in."""

    def __init__(
        self, headers: Sequence[tuple[bytes, bytes]], subprotocols: Sequence[str] = ("mcp",), **scope: Any
    ) -> None:
        self.answer = Answer()
        self.subprotocol: str | None = None
        self.messages: list[dict[str, Any]] = []
        """What came, in its order."""
        self.close: tuple[int, str] | None = None
        self._news = asyncio.Event()
        self._events: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        self._reading = asyncio.Event()
        self._reading.set()
        self._readable = 0
        self._news_to_read = asyncio.Event()
        defaults = {"type": "websocket", "path": "/ws/mcp", "query_string": b"", "client": ("127.0.0.1", 5)}
        self._scope = {
            **defaults,
            "scheme": "ws",
            "headers": list(headers),
            "subprotocols": list(subprotocols),
            **scope,
        }
        self.task = asyncio.create_task(application(self._scope, self._events.get, self._send))

    async def _send(self, event: Mapping[str, Any]) -> None:
        while not self._reading.is_set() and not self._readable:  # as uvicorn, when the socket takes no more
            self._news_to_read.clear()
            await self._news_to_read.wait()
        self._readable = max(0, self._readable - 1)
        if self.close is not None:
            raise OSError
        match event["type"]:
            case "websocket.accept":
                self.subprotocol = event["subprotocol"]
                self.answer.begin(event)
            case "websocket.http.response.start":
                self.answer.begin(event)
            case "websocket.http.response.body":
                self.answer.body += event["body"]
            case "websocket.send":
                self.messages.append(json.loads(event["text"]))
            case "websocket.close":
                if not self.answer.status:
                    self.answer.status = 403
                self.end(event.get("code", 1000), event.get("reason", ""))
        self._news.set()

    def end(self, code: int, reason: str = "") -> None:
        """The connection is over; the server is told as uvicorn tells it."""
        self.close = (code, reason)
        self._events.put_nowait({"type": "websocket.disconnect", "code": code})

    def stop_reading(self) -> None:
        self._reading.clear()

    def read_on(self) -> None:
        self._reading.set()
        self._news_to_read.set()

    def read_one(self) -> None:
        """One message, and no more."""
        self._readable += 1
        self._news_to_read.set()

    async def leave(self) -> None:
        if self.close is None:
            self.end(1000)
        await self.over()

    async def over(self) -> tuple[int, str]:
        """Once the server has put everything away: how it was closed."""
        done, _ = await asyncio.wait({self.task}, timeout=PATIENCE)
        if not done:
            raise TimeoutError
        if not self.task.cancelled():
            self.task.result()
        return self.close or (0, "")

    async def opened(self) -> Self:
        """Once its handshake was answered."""
        await self._until(lambda: self.answer.status or self.task.done())
        if self.task.done():
            self.task.result()
        return self

    def send(self, message: object) -> None:
        """A text frame; of bytes, a binary one."""
        if isinstance(message, bytes):
            event: dict[str, Any] = {"type": "websocket.receive", "bytes": message}
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            event = {"type": "websocket.receive", "text": text}
        self._events.put_nowait(event)

    async def message(self, fits: Any) -> dict[str, Any]:
        """The first that fits, once it is here. Raises: ConnectionError if the line closed before."""
        await self._until(lambda: any(fits(message) for message in self.messages) or self.close)
        for message in self.messages:
            if fits(message):
                return message
        raise ConnectionError(self.close)

    async def reply_to(self, request_id: object) -> dict[str, Any]:
        return await self.message(lambda message: message.get("id") == request_id and "method" not in message)

    async def told(self, method: str) -> dict[str, Any]:
        """A notification, or a request of the server."""
        return await self.message(lambda message: message.get("method") == method)

    async def _until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                waiting = asyncio.ensure_future(self._news.wait())
                await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if self.task.done() and not condition():
                    self.task.result()
                    return


def dial(key: str | None, headers: Mapping[str, str | None] | None = None, **details: Any) -> Line:
    """Begin a handshake. `headers` replace the usual ones; None takes one away."""
    authorization = None if key is None else f"Bearer {key}"
    return Line(encoded({**USUAL, "authorization": authorization, **(headers or {})}), **details)


@dataclass
class SocketWire:
    """A client with one open socket, of either era."""

    line: Line
    wire: Wire
    is_stateless: bool = True
    ids: Any = field(default_factory=lambda: count(1))

    @property
    def key(self) -> str | None:
        return self.wire.key

    @classmethod
    async def open(cls, key: str, *, wire: Wire | None = None, **details: Any) -> Self:
        """Of 2026-07-28."""
        line = await dial(key, **details).opened()
        assert line.answer.status == 101, line.answer
        return cls(line, wire or Wire(key))

    @classmethod
    async def shake_hands(
        cls,
        key: str,
        version: str = HANDSHAKE_VERSION,
        capabilities: Mapping[str, Any] | None = None,
        **details: Any,
    ) -> Self:
        """Of the handshake era."""
        client = await cls.open(key, **details)
        client.is_stateless = False
        params = {
            "protocolVersion": version,
            "clientInfo": {"name": "pytest", "version": "1"},
            "capabilities": {"elicitation": {}} if capabilities is None else capabilities,
        }
        assert (await client.ask("initialize", params)).result["protocolVersion"] == version
        client.notify("notifications/initialized")
        return client

    def request(self, method: str, params: Mapping[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
        if self.is_stateless:
            return {**self.wire.request(method, params, **meta), "id": next(self.ids)}
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": next(self.ids), "method": method}
        if params is not None or meta:
            message["params"] = {**(params or {}), **({"_meta": meta} if meta else {})}
        return message

    def begin(self, method: str, params: Mapping[str, Any] | None = None, **meta: Any) -> int:
        """Send a request; its id."""
        message = self.request(method, params, **meta)
        self.line.send(message)
        request_id: int = message["id"]
        return request_id

    async def answer_to(self, request_id: object) -> Answer:
        """The reply, or how the socket was closed instead, as if it had come over HTTP."""
        try:
            reply = await self.line.reply_to(request_id)
            status = STATUSES.get(reply.get("error", {}).get("code"), 200)
        except ConnectionError:
            code, reason = await self.line.over()
            status, reply = STATUSES[code], {"error": {"code": code, "message": reason}}
        body = json.dumps(reply, separators=(",", ":"))
        return Answer(status, {"content-type": "application/json"}, body.encode())

    async def ask(self, method: str, params: Mapping[str, Any] | None = None, **meta: Any) -> Answer:
        return await self.answer_to(self.begin(method, params, **meta))

    def calling(self, name: str, arguments: Mapping[str, Any] | None = None, **meta: Any) -> int:
        """Begin a call; its id."""
        return self.begin("tools/call", {"name": name, "arguments": arguments or {}}, **meta)

    async def call(self, name: str, arguments: Mapping[str, Any] | None = None, **meta: Any) -> Answer:
        return await self.answer_to(self.calling(name, arguments, **meta))

    def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        self.line.send(message if params is None else {**message, "params": params})

    def cancel(self, request_id: object) -> None:
        self.notify("notifications/cancelled", {"requestId": request_id})

    def reply(self, request_id: object, result: Mapping[str, Any]) -> None:
        """To a request of the server."""
        self.line.send({"jsonrpc": "2.0", "id": request_id, "result": result})

    async def leave(self) -> None:
        await self.line.leave()
