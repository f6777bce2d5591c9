"""Sockets that flood, that send bombs, and that read nothing: what becomes of them, and what others notice."""

import json
import multiprocessing
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from tests.frames import CLOSE, PING, TEXT, RawSocket, fragments, frame
from tests.wire import Wire

from .rounds import expect
from .servers import Server, Site

SECONDS = 6.0
"""Of each flood, and of the quiet that it is compared with."""
PAUSE = 0.05
"""Seconds between one socket of the attacker's and his next: his key is good for 50 a second."""
TURNS = 3
MOST = 2.0
"""Times the quiet p99 that others may have to wait."""
LARGEST = 256 * 1024
BIG_CALL = {"name": "echo", "arguments": {"text": "x" * 100_000}}


@dataclass(frozen=True)
class Flood:
    payload: Callable[[str], bytes]
    """What one socket sends, of a key."""
    codes: frozenset[int]
    """How the server may close it; 0 for a connection that it drops, for nobody reads why."""
    is_read: bool = True


def unread_calls(key: str) -> bytes:
    """Answers of 25 MB."""
    wire = Wire(key)
    calls = (wire.request("tools/call", BIG_CALL) | {"id": number} for number in range(50))
    return b"".join(frame(TEXT, json.dumps(call).encode()) for call in calls)


FLOODS: dict[str, Flood] = {
    "200 000 fragments of a byte": Flood(lambda key: fragments(200_000), frozenset({1008})),
    "100 000 pings": Flood(lambda key: frame(PING, b"a" * 125) * 100_000, frozenset({1008})),
    "a declared GiB": Flood(lambda key: frame(TEXT, b"a", length=2**30), frozenset({1009})),
    "a message of 256 KiB and a byte": Flood(lambda key: frame(TEXT, b"a" * (LARGEST + 1)), frozenset({1009})),
    "20 000 messages that are none": Flood(lambda key: frame(TEXT, b"{") * 20_000, frozenset({1008})),
    "pings, and nothing is read": Flood(
        lambda key: frame(PING, b"a" * 125) * 100_000, frozenset({0, 1008}), False
    ),
    "calls, and nothing is read": Flood(unread_calls, frozenset({0}), False),
}


@dataclass
class Suffered:
    name: str
    quiet: float
    """Seconds: the p99 of somebody else's calls, when nobody floods; the median of the turns."""
    flooded: float
    calls: int
    ends: Counter[int] = field(default_factory=Counter)


def run(site: Site, server: Server) -> list[Suffered]:
    mine, his = site.keys("bystander", "attacker")
    call(server.port, mine, 1.0)  # what a server's first calls take is not asked
    suffered = [suffer(server, name, flood, mine, his) for name, flood in FLOODS.items()]
    for one in suffered:
        expect(one.ends.keys() <= FLOODS[one.name].codes, f"{one.name}: closed with {dict(one.ends)}")
        expect(one.flooded <= MOST * one.quiet, f"{one.name}: p99 {one.flooded:.4f} s, {one.quiet:.4f} s in quiet")
    return suffered


def suffer(server: Server, name: str, flood: Flood, mine: str, his: str) -> Suffered:
    """Quiet and flood in turn: the machine may be slower at one time than at another."""
    quiet, flooded, ends, calls = [], [], Counter[int](), 0
    for _ in range(TURNS):
        quiet.append(p99(call(server.port, mine, SECONDS / TURNS)))
        found: Any = multiprocessing.get_context("spawn").SimpleQueue()
        arguments = (server.port, his, name, SECONDS / TURNS, found)
        attacker = multiprocessing.get_context("spawn").Process(target=attack, args=arguments)
        attacker.start()
        found.get()  # it has begun
        seen = call(server.port, mine, SECONDS / TURNS)
        ends += found.get()
        attacker.join()
        calls += len(seen)
        flooded.append(p99(seen))
    return Suffered(name, statistics.median(quiet), statistics.median(flooded), calls, ends)


def call(port: int, key: str, seconds: float) -> list[float]:
    """What each call took, of one client that calls again and again over one connection."""
    wire, took = Wire(key), []
    message = wire.request("tools/call", {"name": "echo", "arguments": {"text": "still here"}})
    headers = wire.headers(message) | {"host": f"127.0.0.1:{port}"}
    body = json.dumps(message)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        connection.request("POST", "/mcp", body, headers)
        answer = json.loads(connection.getresponse().read())
        took.append(time.perf_counter() - began)
        expect(answer["result"]["content"][0]["text"] == "still here", answer)
    connection.close()
    return took


def p99(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.99)]


def attack(port: int, key: str, name: str, seconds: float, found: Any) -> None:
    """One socket after another, in a process of its own. Puts how they were closed, by code."""
    flood = FLOODS[name]
    payload = flood.payload(key)
    found.put(None)
    ends, until = Counter[int](), time.monotonic() + seconds
    if not flood.is_read:
        ends[leave_unread(port, key, payload)] += 1
    while flood.is_read and time.monotonic() < until:
        ends[flooded(port, key, payload)] += 1
        time.sleep(PAUSE)
    found.put(ends)


def flooded(port: int, key: str, payload: bytes) -> int:
    with opened(port, key) as peer:
        sending = threading.Thread(target=send, args=(peer, payload), daemon=True)
        sending.start()
        code = peer.farewell().code
    sending.join()
    return code


def leave_unread(port: int, key: str, payload: bytes) -> int:
    """Send all of it, and read only when the server must have cut it off."""
    with opened(port, key, buffer=4096) as peer:
        peer.socket.settimeout(30)
        send(peer, payload)
        time.sleep(12)
        return code_of_end(peer)


def code_of_end(peer: RawSocket) -> int:
    try:
        while True:
            opcode, payload = peer.receive()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2])
    except (OSError, EOFError):
        return 0


def opened(port: int, key: str, buffer: int | None = None) -> RawSocket:
    lines = ("Sec-WebSocket-Protocol: mcp", f"Authorization: Bearer {key}")
    return RawSocket(port, "/ws/mcp", *lines, buffer=buffer)


def send(peer: RawSocket, payload: bytes) -> None:
    try:
        peer.send(payload)
    except OSError:
        return  # it was closed in the middle of it
