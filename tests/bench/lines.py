"""Clients that hold a connection open and cost next to nothing themselves: plain sockets, frames made by hand."""

import base64
import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.load import CLIENT, HANDSHAKE, MODERN, WrongAnswer

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
OF_ONE_ADDRESS = 400
"""Clients. A server may have a limit for one."""
PATIENCE = 20


def enveloped(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": ENVELOPE}}


DISCOVER = enveloped("server/discover")
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": HANDSHAKE, "clientInfo": CLIENT, "capabilities": {}},
}
LISTEN = enveloped("subscriptions/listen", notifications={"toolsListChanged": True})


def connected(port: int, number: int) -> socket.socket:
    """The `number`-th client's, from a loopback address that it shares with few others."""
    source = (f"127.0.0.{2 + number // OF_ONE_ADDRESS}", 0)
    return socket.create_connection(("127.0.0.1", port), PATIENCE, source)


@dataclass
class WebSocketLine:
    """A WebSocket, with room for what arrived and was not read yet."""

    socket: socket.socket
    buffer: bytes = b""

    @classmethod
    def open(
        cls, port: int, token: str = "", number: int = 0, path: str = "/ws/mcp", names: Sequence[str] = ()
    ) -> "WebSocketLine":
        """`names`: the headers that say who it is, instead of those of a client of MCP."""
        line = cls(connected(port, number))
        key = base64.b64encode(os.urandom(16)).decode()
        names = names or ("Sec-WebSocket-Protocol: mcp", f"Authorization: Bearer {token}")
        lines = [
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *names, "", "",
        ]  # fmt: skip
        line.socket.sendall("\r\n".join(lines).encode())
        head = line.until(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise WrongAnswer(head.decode())
        return line

    def close(self) -> None:
        self.socket.close()

    def until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self.more()
        found, _, self.buffer = self.buffer.partition(end)
        return found

    def more(self) -> None:
        if not (data := self.socket.recv(262144)):
            raise WrongAnswer("closed")
        self.buffer += data

    def ask(self, message: dict[str, Any]) -> bytes:
        self.socket.sendall(frame(json.dumps(message)))
        return self.read()

    def read(self) -> bytes:
        """The next frame's payload; pings are not answered, for nothing here lasts that long."""
        while (found := self.take()) is None:
            self.more()
        return found

    def take(self) -> bytes | None:
        if len(self.buffer) < 2:
            return None
        length, begins = self.buffer[1] & 127, 2
        if length == 126:
            begins = 4
            if len(self.buffer) < begins:
                return None
            (length,) = struct.unpack_from("!H", self.buffer, 2)
        elif length == 127:
            raise WrongAnswer("a frame of 64 KiB or more")
        if len(self.buffer) < begins + length:
            return None
        payload = self.buffer[begins : begins + length]
        self.buffer = self.buffer[begins + length :]
        return payload


def frame(text: str) -> bytes:
    """A client's: masked, with a mask of zeros (RFC 6455, section 5.3)."""
    payload = text.encode()
    length = len(payload)
    size = bytes([128 | length]) if length < 126 else bytes([128 | 126]) + struct.pack("!H", length)
    return b"\x81" + size + b"\0\0\0\0" + payload


def listen(port: int, token: str, number: int, message: dict[str, Any] = LISTEN) -> socket.socket:
    """An SSE stream of `subscriptions/listen`, acknowledged."""
    connection, body = connected(port, number), json.dumps(message)
    lines = [
        "POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {token}",
        "Content-Type: application/json", "Accept: application/json, text/event-stream",
        f"MCP-Protocol-Version: {MODERN}", "Mcp-Method: subscriptions/listen", f"Content-Length: {len(body)}",
        "", body,
    ]  # fmt: skip
    connection.sendall("\r\n".join(lines).encode())
    seen = b""
    while b"acknowledged" not in seen:
        if not (data := connection.recv(65536)):
            raise WrongAnswer(seen.decode())
        seen += data
    return connection
