"""A WebSocket transport for the Python SDK's `Client`, which has had none of its own since version 2.

    async with Client(websocket("wss://mcp.example.com/ws/mcp", token="cgk_…")) as client:
        print(await client.list_tools())

It takes `mcp` and `websockets`, and nothing else of Concierge: copy this file. A connection that is lost
is lost, with what was under way on it; only the caller knows which of his calls may be made again.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED, jsonrpc_message_adapter
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

MCP = Subprotocol("mcp")
LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message of the server's. It takes 256 KiB itself; what tools return may be larger."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
BOUND = 64
"""Messages that may wait to be read; then the server is read no further."""
CLOSING = 2.0
"""Seconds that the server has for its part of the goodbye."""


class SocketRefused(ConnectionError):
    """The server did not let the client in: `status` is HTTP's, and the text is what the server said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} (HTTP {status})")
        self.status = status


class SocketClosed(ConnectionError):
    """The server ended the connection: `code` and `reason` as in RFC 6455, section 7.1.5.

    1012: it stops or restarts, so connect again. 4401: the credential is not valid any more. 4403: somebody
    ended the session. 1006: nobody said anything.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason or 'The connection was lost'} ({code})")
        self.code = code
        self.reason = reason


class Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        """None is followed: a credential goes where it was meant to go."""
        return exc


@asynccontextmanager
async def websocket(
    url: str, *, token: str | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[TransportStreams]:
    """Connect to `url` (`wss://host/ws/mcp`) with `token` as the Bearer, and `headers` if a proxy wants any.

    Raises: ValueError for a URL that would give them away; SocketRefused; another OSError when nobody answers,
    or something else does; SocketClosed, in the place of the SDK's error for a request or a subscription, when
    the server ends it. `Client(…, message_handler=…)` is given that one, too, as it happens.
    """
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    headers = {**(headers or {}), **authorization}
    check(url, headers)
    connection = await opened(url, headers)
    received, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](BOUND)
    outgoing, to_send = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [asyncio.create_task(receive(connection, received)), asyncio.create_task(send(connection, to_send))]
    try:
        yield incoming, outgoing
    except (MCPError, SubscriptionLost, ExceptionGroup) as error:
        if connection.close_code is None or not is_of_closing(error):
            raise
        raise end_of(connection) from error
    finally:
        incoming.close()
        with anyio.CancelScope(shield=True):  # who is cancelled leaves no socket behind
            await connection.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (received, outgoing, to_send):
            stream.close()


def is_of_closing(error: BaseException | None) -> bool:
    """Whether it says nothing but that the connection is gone. `Client` wraps what is raised inside of it."""
    if isinstance(error, ExceptionGroup):
        return all(map(is_of_closing, error.exceptions))
    if isinstance(error, SubscriptionLost):
        return is_of_closing(error.__cause__)
    return isinstance(error, MCPError) and error.error.code == CONNECTION_CLOSED


def end_of(connection: ClientConnection) -> SocketClosed:
    return SocketClosed(connection.close_code or 1006, connection.close_reason or "")


def check(url: str, headers: Mapping[str, str]) -> None:
    """Nothing that is said here repeats what may be a secret."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("The URL is that of a WebSocket: wss://host/ws/mcp")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("The URL carries no credential and no query; the token is an argument")
    if headers and parts.scheme == "ws" and parts.hostname not in LOOPBACK:
        raise ValueError(f"A credential goes to {parts.hostname} over wss:// only; ws:// is read on the way")
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"What goes into {name} is one line of ASCII, without the line's end")


async def opened(url: str, headers: Mapping[str, str]) -> ClientConnection:
    is_here = urlsplit(url).hostname in LOOPBACK  # where a proxy would reach another machine
    try:
        return await Connect(
            url, subprotocols=[MCP], additional_headers=headers, proxy=None if is_here else True,
            compression=None, max_size=LARGEST_MESSAGE, close_timeout=CLOSING,
        )  # fmt: skip
    except InvalidStatus as refusal:
        response = refusal.response
        raise SocketRefused(response.status_code, sentence_of(bytes(response.body or b""))) from None
    except InvalidHandshake as failure:
        raise ConnectionError(f"What answered opened no WebSocket: {failure}") from None


def sentence_of(body: bytes) -> str:
    """What a JSON-RPC error says, if it is one: a proxy may have answered."""
    with suppress(ValueError, LookupError, TypeError):
        return str(json.loads(body)["error"]["message"])
    return "The server did not open a WebSocket"


async def receive(
    connection: ClientConnection, received: MemoryObjectSendStream[SessionMessage | Exception]
) -> None:
    """Until the connection ends, which ends the stream, and with it every request that waits.

    When nobody reads any more, what comes is thrown away: the server's goodbye comes after it.
    """
    async with received:
        with suppress(ConnectionClosed):
            async for text in connection:
                with suppress(anyio.BrokenResourceError):
                    await received.send(message_of(text))
        with suppress(anyio.BrokenResourceError):
            await received.send(end_of(connection))


def message_of(text: str | bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False))
    except ValidationError as malformed:
        return malformed


async def send(connection: ClientConnection, to_send: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with to_send:
        with suppress(ConnectionClosed):
            async for message in to_send:
                await connection.send(message.message.model_dump_json(by_alias=True, exclude_unset=True))
