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
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED, jsonrpc_message_adapter
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

MCP = Subprotocol("mcp")
LARGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message of the server's. It takes 256 KiB itself; what tools return may be larger."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
BOUND = 64
"""Messages that may wait to be read; then the server is read no further."""


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

    Raises: ValueError for a URL that would give the token away; SocketRefused; OSError or TimeoutError when
    nobody answers; SocketClosed, in the place of the SDK's error for a request, when the server ends it.
    """
    check(url, token)
    authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
    connection = await opened(url, {**(headers or {}), **authorization})
    received, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](BOUND)
    outgoing, to_send = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [asyncio.create_task(receive(connection, received)), asyncio.create_task(send(connection, to_send))]
    try:
        yield incoming, outgoing
    except (MCPError, ExceptionGroup) as error:
        if connection.close_code is None or not is_of_closing(error):
            raise
        raise SocketClosed(connection.close_code, connection.close_reason or "") from error
    finally:
        await connection.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in (received, incoming, outgoing, to_send):
            stream.close()


def is_of_closing(error: Exception) -> bool:
    """Whether it says nothing but that the connection is gone. `Client` wraps what is raised inside of it."""
    if isinstance(error, ExceptionGroup):
        return all(map(is_of_closing, error.exceptions))
    return isinstance(error, MCPError) and error.error.code == CONNECTION_CLOSED


def check(url: str, token: str | None) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError("The URL is that of a WebSocket: wss://host/ws/mcp")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("The URL carries no credential and no query; the token is an argument")
    if token is not None and parts.scheme == "ws" and parts.hostname not in LOOPBACK:
        raise ValueError(f"A token goes to {parts.hostname} over wss:// only; over ws:// everybody could read it")


async def opened(url: str, headers: Mapping[str, str]) -> ClientConnection:
    try:
        return await Connect(
            url, subprotocols=[MCP], additional_headers=headers, compression=None, max_size=LARGEST_MESSAGE
        )
    except InvalidStatus as refusal:
        response = refusal.response
        raise SocketRefused(response.status_code, sentence_of(bytes(response.body or b""))) from None


def sentence_of(body: bytes) -> str:
    """What a JSON-RPC error says, if it is one: a proxy may have answered."""
    with suppress(ValueError, LookupError, TypeError):
        return str(json.loads(body)["error"]["message"])
    return "The server did not open a WebSocket"


async def receive(
    connection: ClientConnection, received: MemoryObjectSendStream[SessionMessage | Exception]
) -> None:
    """Until the connection ends, which ends the stream, and with it every request that waits."""
    async with received:
        with suppress(ConnectionClosed, anyio.BrokenResourceError):
            async for text in connection:
                try:
                    await received.send(SessionMessage(jsonrpc_message_adapter.validate_json(text, by_name=False)))
                except ValidationError as malformed:
                    await received.send(malformed)


async def send(connection: ClientConnection, to_send: MemoryObjectReceiveStream[SessionMessage]) -> None:
    async with to_send:
        with suppress(ConnectionClosed):
            async for message in to_send:
                await connection.send(message.message.model_dump_json(by_alias=True, exclude_unset=True))
