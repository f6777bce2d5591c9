"""Calls over kept connections, paced by the clock: so many a second, however fast they are answered."""

import selectors
import time
from socket import create_connection, socket

from tests.bench.contest import ECHO
from tests.bench.load import Call, Line, WrongAnswer

RATE = 1000.0
"""Calls a second, of all together."""
CONNECTIONS = 32
SETTLE = 0.5
"""Seconds, for what is done behind the replies."""
ANSWERED_WITHIN = 10.0
END_OF_HEAD = b"\r\n\r\n"


class Connection:
    """Kept, with one call at a time on it."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket: socket = create_connection(("127.0.0.1", port))
        self._request = request
        self._answer = b""
        self.is_free = True

    def ask(self) -> None:
        self.socket.sendall(self._request)
        self.is_free = False

    def hear(self) -> bool:
        """Whether the answer is whole. Raises: WrongAnswer."""
        data = self.socket.recv(65536)
        self._answer += data
        head, _, body = self._answer.partition(END_OF_HEAD)
        if not data or (body and (not head.startswith(b"HTTP/1.1 200") or b'"isError":true' in body)):
            raise WrongAnswer(self._answer.decode())
        if not body.endswith(b"}") or len(body) < length_of(head):
            return False
        self._answer, self.is_free = b"", True
        return True


def length_of(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next(int(value) for name, _, value in lines if name == b"content-length")


def attack(port: int, key: str, seconds: float, call: Call = ECHO, rate: float = RATE) -> int:
    """Calls that were answered, all of them rightly; `rate`: a second. Raises: WrongAnswer."""
    request = request_of(port, key, call)
    connections = [Connection(port, request) for _ in range(CONNECTIONS)]
    sent = answered = 0
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        began = time.monotonic()
        while (now := time.monotonic() - began) < seconds or answered < sent:
            if now > seconds + ANSWERED_WITHIN:
                raise WrongAnswer(f"{sent - answered} calls were not answered")
            due = int(min(now, seconds) * rate)
            for number in range(sent, due):
                if not (connection := connections[number % CONNECTIONS]).is_free:
                    break  # the server is behind; what is due is sent as it catches up
                connection.ask()
                sent += 1
            for chosen, _ in selector.select(1 / rate):
                answered += chosen.data.hear()
    for connection in connections:
        connection.socket.close()
    time.sleep(SETTLE)
    return answered


def request_of(port: int, key: str, call: Call) -> bytes:
    body = call.body()
    headers = Line(port, key).headers() | call.headers()
    lines = [f"{name}: {value}" for name, value in (headers | {"Content-Length": str(len(body))}).items()]
    return "\r\n".join(["POST /mcp HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines, "", body]).encode()
