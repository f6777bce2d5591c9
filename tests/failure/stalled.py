"""Sockets that stall: silent, within headers, within a body, within a WebSocket's handshake."""

import multiprocessing
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.frames import connected, handshake

from .held import Held, held, settle
from .quiet import Heard, beside
from .rounds import expect
from .servers import Server, Site

LATE = 5.0
"""Seconds beyond the server's own limit: connections are looked at once a second, and the machine is busy."""
HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nusername="
STALLS: dict[str, list[bytes]] = {
    "silent": [b""],
    "half a header": [b"POST /mcp HTTP/1.1\r\n" + HOST + b"Authorization: Bea", b"GET / HT", b"G"],
    "half a body": [
        b"POST /mcp HTTP/1.1\r\n" + HOST + JSON,
        b"POST /api/token/ HTTP/1.1\r\n" + HOST + JSON,
        b"POST /sign-in/ HTTP/1.1\r\n" + HOST + FORM,
        b"POST /admin/login/ HTTP/1.1\r\n" + HOST + FORM,
    ],
    "half a handshake": [handshake("/ws/mcp")[:-2], handshake("/ws/rooms/a")[:-30]],
}
"""What each kind sends, before it falls silent: one after the other, in turn."""
SAID = {"silent": "", "half a header": "408", "half a body": "408", "half a handshake": "408"}


@dataclass
class Toll:
    heard: Heard
    sockets: int = 0
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind, and what the server said: a status, or nothing."""
    slowest: tuple[float, str] = (0, "")
    """Seconds until the last was closed, and its kind."""
    after: Held = field(default_factory=Held)


def run(site: Site, server: Server, sockets: int, limit: float) -> Toll:
    """`limit`: seconds that the server gives a request. Raises: Wrong."""
    mine, mine_too = site.keys("bystander", "watcher")
    toll = Toll(Heard(0, 0, 0))
    before = held(site, server, mine_too)
    toll.heard = beside(server.port, mine, partial(stalling, server.port, sockets, limit, toll), limit + LATE)
    expect(toll.slowest[0] <= limit + LATE, "a socket stayed for {:.1f} s: {}".format(*toll.slowest))
    wrong = {end: count for end, count in toll.ends.items() if end[1] != SAID[end[0]]}
    expect(not wrong, f"ended otherwise: {wrong}")
    toll.after = settle(site, server, mine_too, before)
    return toll


@contextmanager
def stalling(port: int, sockets: int, limit: float, toll: Toll) -> Iterator[None]:
    """So many sockets stall, in a process of their own."""
    context: Any = multiprocessing.get_context("spawn")
    found = context.SimpleQueue()
    attacker = context.Process(target=stall, args=(port, sockets, limit + 2 * LATE, found))
    attacker.start()
    expect(found.get() == sockets, "not all connected")
    try:
        yield
    finally:
        ends, slowest = found.get()
        attacker.join()
    toll.sockets += sockets
    toll.ends += ends
    toll.slowest = max(toll.slowest, slowest)


def stall(port: int, sockets: int, patience: float, found: Any) -> None:
    """Puts how many connected, and then how each was ended, and after how long the last."""
    kinds = list(STALLS)
    opened = []
    for number in range(sockets):
        kind = kinds[number % len(kinds)]
        sent = STALLS[kind][number // len(kinds) % len(STALLS[kind])]
        client = connected(port)
        client.sendall(sent)
        opened.append((client, kind, time.monotonic()))
    found.put(len(opened))
    found.put(wait_for_ends(opened, patience))


def wait_for_ends(
    opened: list[tuple[socket.socket, str, float]], patience: float
) -> tuple[Counter[tuple[str, str]], tuple[float, str]]:
    ends, slowest = Counter[tuple[str, str]](), (0.0, "")
    since, until = {client: at for client, _, at in opened}, time.monotonic() + patience
    said: dict[socket.socket, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for client, kind, _ in opened:
            selector.register(client, selectors.EVENT_READ, kind)
        while selector.get_map() and time.monotonic() < until:
            for key, _ in selector.select(1):
                peer: Any = key.fileobj
                if data := peer.recv(65536):
                    said[peer] = said.get(peer, b"") + data
                    continue
                ends[key.data, said.get(peer, b"").partition(b" ")[2][:3].decode()] += 1
                slowest = max(slowest, (time.monotonic() - since[peer], key.data))
                selector.unregister(peer)
                peer.close()
        for key in tuple(selector.get_map().values()):
            ends[key.data, "nothing, and was not closed"] += 1
    return ends, slowest


def full(here: Site) -> str:
    """Sockets that stall, of four kinds at once"""
    toll = run(here, here.start(), 500, limit=15)
    toll.heard.check()
    return (
        f"{toll.sockets} sockets, each closed within {toll.slowest[0]:.1f} s, others' p99 {toll.heard};"
        f" afterwards {toll.after}"
    )
