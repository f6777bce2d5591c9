"""Sockets that flood, that send bombs, and that read nothing: what becomes of them, and what others notice."""

import json
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.frames import CLOSE, PING, TEXT, RawSocket, fragments, frame
from tests.wire import Wire

from .quiet import TURNS, Heard, beside
from .rounds import expect
from .servers import Server, Site

SECONDS = 6.0
"""Of each flood, and of the quiet that it is compared with."""
PAUSE = 0.05
"""Seconds between one socket of the attacker's and his next: his key is good for 50 a second."""
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
    heard: Heard
    ends: Counter[int] = field(default_factory=Counter)


def run(site: Site, server: Server) -> list[Suffered]:
    mine, his = site.keys("bystander", "attacker")
    suffered = [suffer(server, name, mine, his) for name in FLOODS]
    for one in suffered:
        expect(one.ends.keys() <= FLOODS[one.name].codes, f"{one.name}: closed with {dict(one.ends)}")
        one.heard.check()
    return suffered


def suffer(server: Server, name: str, mine: str, his: str) -> Suffered:
    ends, seconds = Counter[int](), SECONDS / TURNS
    heard = beside(server.port, mine, partial(flooding, server.port, his, name, seconds, ends), seconds)
    return Suffered(name, heard, ends)


@contextmanager
def flooding(port: int, key: str, name: str, seconds: float, ends: Counter[int]) -> Iterator[None]:
    context: Any = multiprocessing.get_context("spawn")
    found = context.SimpleQueue()
    attacker = context.Process(target=attack, args=(port, key, name, seconds, found))
    attacker.start()
    found.get()  # it has begun
    yield
    ends += found.get()
    attacker.join()


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
