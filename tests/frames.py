"""A WebSocket client that sends exactly the bytes it is told to, well-formed or not (RFC 6455)."""

import socket
import struct
from dataclasses import dataclass
from typing import Self

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1 = 0x80, 0x40
MASKED = 0x80
MASK = b"\x01\x02\x03\x04"
HANDSHAKE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
WITHIN = 5
"""Seconds."""


def frame(opcode: int, payload: bytes = b"", *, flags: int = FIN, length: int | None = None) -> bytes:
    """As a client sends it. `length` is what it declares, if not what it sends."""
    length = len(payload) if length is None else length
    return bytes([flags | opcode]) + length_of(length) + MASK + masked(payload)


def length_of(length: int) -> bytes:
    if length < 126:
        return bytes([MASKED | length])
    if length < 2**16:
        return struct.pack("!BH", MASKED | 126, length)
    return struct.pack("!BQ", MASKED | 127, length)


def masked(payload: bytes) -> bytes:
    key = MASK * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload) ^ int.from_bytes(key[: len(payload)])
    return mixed.to_bytes(len(payload))


def fragments(count: int, piece: bytes = b"a") -> bytes:
    """One message in so many frames."""
    middle = frame(CONT, piece, flags=0) * (count - 2)
    return frame(TEXT, piece, flags=0) + middle + frame(CONT, piece)


def handshake(path: str = "/echo", *more: str, start: str = "GET {} HTTP/1.1", **changes: str | None) -> bytes:
    """`changes` by header, with _ for -; None leaves it out. `more` header lines follow, and may repeat others."""
    headers = HANDSHAKE | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join([start.format(path), *lines, *more, "", ""]).encode("latin-1")


@dataclass
class Farewell:
    """A close frame's."""

    code: int
    reason: str


class RawSocket:
    """Blocking; nothing is answered unless the test does."""

    def __init__(self, port: int, path: str = "/echo", *more: str, buffer: int | None = None) -> None:
        """`more`: header lines."""
        self.socket = connected(port, buffer)
        self._read = b""
        self.send(handshake(path, *more))
        head = self._until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def receive(self) -> tuple[int, bytes]:
        """A frame's opcode and payload. Raises: EOFError, ConnectionResetError, TimeoutError."""
        first, second = self._exactly(2)
        length = second
        if second >= 126:
            length = int.from_bytes(self._exactly(2 if second == 126 else 8))
        return first & 0x0F, self._exactly(length)

    def farewell(self) -> Farewell:
        """How the server closes it; what it sent before is skipped."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return Farewell(int.from_bytes(payload[:2]), payload[2:].decode())

    def is_dropped(self) -> bool:
        """Whether the server ends the connection, whatever it says before."""
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    def _until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += self._exactly(1)
        return data

    def _exactly(self, count: int) -> bytes:
        while len(self._read) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._read += data
        data, self._read = self._read[:count], self._read[count:]
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()


def connected(port: int, buffer: int | None = None) -> socket.socket:
    """`buffer`: bytes that the kernel keeps for a client that does not read."""
    client = socket.socket()
    if buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(WITHIN)
    client.connect(("127.0.0.1", port))
    return client
