"""What somebody else's calls take in quiet, and beside those who misbehave: in turn, in one run."""

import json
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from tests.wire import Wire

from .caller import percentile
from .rounds import expect

TURNS = 3
MOST = 2.0
"""Times the quiet p99 that others may have to wait."""
ECHO: Mapping[str, Any] = {"name": "echo", "arguments": {"text": "still here"}}
Disturbance = Callable[[], AbstractContextManager[Any]]


@dataclass
class Heard:
    """Seconds: the p99 of somebody else's calls, the median of the turns."""

    quiet: float
    disturbed: float
    calls: int

    def check(self) -> None:
        expect(self.disturbed <= MOST * self.quiet, f"others' p99 {self}")

    def __str__(self) -> str:
        return f"{self.disturbed * 1000:.1f} ms ({self.quiet * 1000:.1f} ms in quiet)"


def beside(port: int, key: str, disturbance: Disturbance, seconds: float, call: Mapping[str, Any] = ECHO) -> Heard:
    """Quiet and disturbance in turn: the machine may be slower at one time than at another."""
    quiet, disturbed, calls = [], [], 0
    keep_calling(port, key, min(seconds, 1), call)  # what a server's first calls take is not asked
    for _ in range(TURNS):
        quiet.append(percentile(keep_calling(port, key, seconds, call), 0.99))
        with disturbance():
            took = keep_calling(port, key, seconds, call)
        disturbed.append(percentile(took, 0.99))
        calls += len(took)
    return Heard(statistics.median(quiet), statistics.median(disturbed), calls)


def keep_calling(port: int, key: str, seconds: float, call: Mapping[str, Any]) -> list[float]:
    """What each call took, of one client that calls again and again over one connection. Raises: Wrong."""
    wire, took = Wire(key), []
    message = wire.request("tools/call", call)
    headers = wire.headers(message) | {"host": f"127.0.0.1:{port}"}
    body = json.dumps(message)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        connection.request("POST", "/mcp", body, headers)
        answer = json.loads(connection.getresponse().read())
        took.append(time.perf_counter() - began)
        expect(not answer.get("result", {"isError": True})["isError"], answer)
    connection.close()
    return took
