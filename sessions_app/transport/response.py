"""What goes back over HTTP: one JSON document, or a stream of events."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.shared.subscriptions import ServerEvent, event_to_notification

from sessions_app.exceptions import Header, Refused

from .jsonrpc import Message, Reply
from .refusal import body_of

Scope = Mapping[str, Any]
Headers = Mapping[str, str]
"""By lower-case name."""
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

LARGE = 64 * 1024
"""Bytes: what uvicorn writes on without waiting for the client to read (asyncio's high-water mark)."""
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


def event(message: bytes) -> bytes:
    """One SSE frame (WHATWG HTML, section 9.2). JSON has no raw line breaks, so one `data:` line is enough."""
    return b"event: message\r\ndata: " + message + b"\r\n\r\n"


def event_of(event: ServerEvent) -> tuple[str, dict[str, Any] | None]:
    """The notification that says so: its method and its params."""
    wire = event_to_notification(event, {}).model_dump(mode="json", by_alias=True, exclude_none=True)
    params = {name: value for name, value in wire.get("params", {}).items() if name != "_meta"}
    return wire["method"], params or None


async def respond(send: Send, status: int, message: bytes | None, headers: list[Header] | None = None) -> None:
    """A whole HTTP response carrying one JSON-RPC message, or none (202)."""
    body = message or b""
    lines = [*PRIVATE, (b"content-length", b"%d" % len(body)), *(headers or ())]
    if message is not None:
        lines.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send_last(send, body)


async def send_last(send: Send, body: bytes) -> None:
    """The last of a response. Returns when the client has taken what is large.

    uvicorn keeps what is not taken, however much it is, and makes only whoever sends more wait for that.
    """
    if len(body) > LARGE:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def refuse(send: Send, refusal: Refused, message: Message | Reply | None = None) -> None:
    await respond(send, refusal.status, body_of(refusal, message), list(refusal.headers))


def hang_up(send: Send) -> None:
    """Drop the connection together with what was not read of it, which a server would keep until it is.

    ASGI has no word for that, so this knows that uvicorn's `send` belongs to an object with a transport.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
