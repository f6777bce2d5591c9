"""One socket beside HTTP: the same authenticated call, again and again. `python -m tests.bench.sockets`.

Of each way its calls a second, the latency of one, and the CPU of the whole server process for each, medians of
turns that the ways take in one run.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from socket import create_connection
from statistics import median

from tests.bench.contest import ECHO, OURS, SETTLE, House
from tests.bench.lines import DISCOVER, WebSocketLine, enveloped, frame
from tests.bench.load import WrongAnswer, run
from tests.bench.servers import Entrant, Running, running

SECONDS, TURNS = 3.0, 5
"""Of each turn; and how many there are, after one to warm up."""
AT_ONCE = 16
ANSWER = b'"text":"hello"'


@dataclass(frozen=True)
class Figures:
    rate: float
    p50: float
    p99: float
    """Microseconds."""
    cpu: float = 0.0
    """Microseconds of the server, for each call."""


Way = Callable[[Running], tuple[int, Figures]]
"""Calls for SECONDS: how many there were, and what they took."""


def over_http(server: Running) -> tuple[int, Figures]:
    """One call at a time, over one connection."""
    line, body = server.line(ECHO), ECHO.body().encode()
    names = {**line.headers(), **ECHO.headers(), "Host": f"127.0.0.1:{server.port}", "Content-Length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in names.items())
    request = f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body
    with create_connection(("127.0.0.1", server.port)) as connection:

        def call() -> bytes:
            connection.sendall(request)
            answer = b""
            while not is_whole(answer):
                answer += connection.recv(65536)
            return answer

        return timed(call)


def is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    return bool(end) and len(body) == int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])


def over_socket(server: Running) -> tuple[int, Figures]:
    """One call at a time, over one socket."""
    line, request = open_socket(server), frame(json.dumps(CALL))

    def call() -> bytes:
        line.socket.sendall(request)
        return line.read()

    figures = timed(call)
    line.close()
    return figures


CALL = enveloped("tools/call", name=ECHO.tool, arguments=ECHO.arguments)


def open_socket(server: Running) -> WebSocketLine:
    line = WebSocketLine.open(server.port, server.entrant.token)
    line.ask(DISCOVER)
    return line


def timed(call: Callable[[], bytes]) -> tuple[int, Figures]:
    took: list[float] = []
    began = now = time.perf_counter()
    while now - began < SECONDS:
        if ANSWER not in (answer := call()):
            raise WrongAnswer(answer.decode())
        before, now = now, time.perf_counter()
        took.append(now - before)
    took.sort()
    p50, p99 = (took[int(len(took) * part)] * 1e6 for part in (0.5, 0.99))
    return len(took), Figures(len(took) / (now - began), p50, p99)


def many_over_socket(server: Running) -> tuple[int, Figures]:
    """Sixteen calls at a time, over one socket."""
    line = open_socket(server)
    requests = b"".join(frame(json.dumps({**CALL, "id": number})) for number in range(AT_ONCE))

    def call() -> bytes:
        line.socket.sendall(requests)
        answers = [line.read() for _ in range(AT_ONCE)]
        return next((answer for answer in answers if ANSWER not in answer), answers[0])

    turns, figures = timed(call)
    line.close()
    return turns * AT_ONCE, replace(figures, rate=figures.rate * AT_ONCE)


def many_over_http(server: Running) -> tuple[int, Figures]:
    """Sixteen connections, one call at a time on each."""
    core = sorted(os.sched_getaffinity(0))[-1]
    seen = run(server.line(ECHO), ECHO, seconds=int(SECONDS), connections=AT_ONCE, core=core)
    return seen.requests, Figures(seen.rate, seen.p50, seen.p99)


WAYS: dict[str, Way] = {
    "HTTP, one call at a time": over_http,
    "one socket, one call at a time": over_socket,
    "HTTP, 16 connections": many_over_http,
    "one socket, 16 calls at a time": many_over_socket,
}


def turn(server: Running, way: Way) -> Figures:
    before = server.cpu()
    calls, figures = way(server)
    time.sleep(SETTLE)
    return replace(figures, cpu=(server.cpu() - before) / calls * 1e6)


def main() -> int:
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        house = House.build(Path(name) / "data")
        entrant = Entrant(OURS, [], house.key, house.environ, [sys.executable, "-m", "tests.bench.served"])
        with running(entrant, ECHO, core=cores[0], log=Path(name) / "server.log") as server:
            os.sched_setaffinity(0, {cores[-1]})
            turns = [{way: turn(server, WAYS[way]) for way in WAYS} for _ in range(TURNS + 1)]
        print(f"{'':<32}{'calls/s':>10}{'p50 µs':>10}{'p99 µs':>10}{'CPU µs/call':>13}")
        for way in WAYS:
            rate, p50, p99, cpu = (
                median(getattr(each[way], figure) for each in turns[1:])
                for figure in ("rate", "p50", "p99", "cpu")
            )
            print(f"{way:<32}{rate:>10,.0f}{p50:>10,.0f}{p99:>10,.0f}{cpu:>13,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
