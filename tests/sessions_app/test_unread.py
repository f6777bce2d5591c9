"""A client that asks for much and reads nothing is hung up on; what it left unread is given back."""

import json
import select
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from sessions_app.models import User
from sessions_app.transport import carrier
from sessions_app.transport.response import LARGE, send_last
from tests.conftest import key_for
from tests.wire import Wire

pytestmark = pytest.mark.process

PIPELINED = 12
"""Answers of 1.6 MB each: more than the kernel keeps for a connection."""


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream"])
def test_an_answer_that_nobody_reads_is_dropped(
    served: str, alice: User, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.3)
    wire, address = Wire(key_for(alice)), urlsplit(served)
    call = {"name": "echo", "arguments": {"text": "x" * 800_000}}
    message = wire.request("tools/call", call)
    body = json.dumps(message).encode()
    headers = wire.headers(message) | {"host": address.netloc, "content-length": str(len(body)), "accept": accept}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((address.hostname, address.port))
        client.settimeout(5)
        with pytest.raises(ConnectionError):
            ask_and_do_not_read(client, f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body)


def ask_and_do_not_read(client: socket.socket, request: bytes) -> None:
    """Raises: ConnectionError when it was hung up on."""
    for _ in range(PIPELINED):
        client.sendall(request)
    waiter = select.poll()
    waiter.register(client, select.POLLHUP)
    if waiter.poll(5000):
        raise ConnectionResetError


@pytest.mark.parametrize(
    ("size", "parts"), [(LARGE, [(LARGE, False)]), (LARGE + 1, [(LARGE + 1, True), (0, False)])]
)
async def test_the_last_of_what_is_large_is_waited_for(size: int, parts: list[tuple[int, bool]]) -> None:
    """uvicorn keeps only whoever sends more waiting for a client that does not read."""
    sent: list[tuple[int, bool]] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append((len(message["body"]), message["more_body"]))

    await send_last(send, b"a" * size)
    assert sent == parts
