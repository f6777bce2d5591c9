"""Listeners that do not read, while there is much to tell; beside those that do, and a client that calls."""

import json
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import connect

from tests.frames import TEXT, RawSocket, connected, frame
from tests.wire import Wire

from .held import Held, held, settle
from .quiet import TURNS, Heard, beside
from .rooms import open_room
from .rounds import expect
from .servers import Server, Site

SECONDS = 20.0
"""Of each phase: who reads nothing is dropped ten seconds after the kernel has taken what it takes."""
CUT_OFF_WITHIN = 12.0
"""Seconds from the last event; and a page that reads has seen it by then, too."""
BUFFER = 4096
"""Bytes that the kernel keeps for a listener."""
TEXT_BYTES = 16_000
SAID_EVERY = 0.2
"""Seconds. A message of that size is told to all who follow the room: to 50, 4 MB of events a second."""
ROOM = "unread"
USERS = 12
"""Who share the listeners: one may have 64 calls at once."""
Listen = Callable[[int, str, str], Any]
"""Opens one on that port, by that key and that cookie; what has to be kept of it."""


def stream_of_a_call(port: int, key: str, cookie: str) -> Any:
    """2026-07-28: a call that reports progress for as long as it is let."""
    call = {"name": "shout", "arguments": {"times": 100_000, "size": TEXT_BYTES}, "_meta": {"progressToken": 1}}
    return asking(port, key, "tools/call", call)


def subscription(port: int, key: str, cookie: str) -> Any:
    """2026-07-28. Its events are short; what it is told waits in the kernel."""
    uris = [f"room://{ROOM}"]
    return asking(port, key, "subscriptions/listen", {"notifications": {"resourceSubscriptions": uris}})


def socket_of_calls(port: int, key: str, cookie: str) -> Any:
    """Four answers of two megabytes."""
    lines = ("Sec-WebSocket-Protocol: mcp", f"Authorization: Bearer {key}")
    peer = RawSocket(port, "/ws/mcp", *lines, buffer=BUFFER)
    wire = Wire(key)
    for number in range(4):
        call = wire.request("tools/call", {"name": "recite", "arguments": {"text": "x" * 10_000, "times": 100}})
        peer.send(frame(TEXT, json.dumps(call | {"id": number}).encode()))
    return peer.socket


def socket_of_a_room(port: int, key: str, cookie: str) -> Any:
    lines = (f"Cookie: {cookie}", f"Origin: http://127.0.0.1:{port}")
    peer = RawSocket(port, f"/ws/rooms/{ROOM}", *lines, buffer=BUFFER)
    peer.send(frame(TEXT, json.dumps({"do": "follow", "after": 0}).encode()))
    return peer.socket


def asking(port: int, key: str, method: str, params: dict[str, Any]) -> Any:
    wire = Wire(key)
    message = wire.request(method, params)
    if "_meta" in params:
        message["params"]["_meta"] |= params["_meta"] | {"progressToken": 1}
    body = json.dumps(message).encode()
    headers = wire.headers(message) | {"host": f"127.0.0.1:{port}", "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    client = connected(port, BUFFER)
    client.sendall(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body)
    return client


KINDS: dict[str, Listen] = {
    "calls": stream_of_a_call,
    "subscriptions": subscription,
    "sockets": socket_of_calls,
    "rooms": socket_of_a_room,
}
STAY = {"subscriptions"}
"""Whose few bytes the kernel takes: that nobody reads them cannot be known, and costs the server nothing."""
ACCEPTED_WITHIN = 5.0
"""Seconds."""
FOUND_BY_PING = {"rooms"}
"""Of whose bytes the kernel takes a megabyte or more, which may be all there are."""
FOUND_BY_PING_WITHIN = 42.0
"""Seconds from when they were opened: one is asked after twenty, and has as many to answer."""


@dataclass
class Toll:
    heard: Heard
    ends: Counter[str] = field(default_factory=Counter)
    """Who was cut off, by kind."""
    stayed: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    after: Held = field(default_factory=Held)


def run(site: Site, server: Server, listeners: int, seconds: float = SECONDS) -> Toll:
    """Raises: Wrong."""
    mine, watcher, writer, *keys = site.keys("bystander", "watcher", "writer", *(f"u{n}" for n in range(USERS)))
    cookies = site.cookies(*(f"u{n}" for n in range(USERS)))
    open_room(server.url, ROOM, [writer, *keys])
    toll = Toll(Heard(0, 0, 0))
    held(site, server, watcher)
    before = held(site, server, watcher)
    disturbance = partial(unread, server, writer, keys, cookies, listeners, toll)
    toll.heard = beside(server.port, mine, disturbance, seconds)
    expect(toll.stayed.keys() <= STAY, f"were not cut off: {toll.stayed}")
    toll.after = settle(site, server, watcher, before)
    return toll


@contextmanager
def unread(
    server: Server, writer: str, keys: list[str], cookies: list[str], listeners: int, toll: Toll
) -> Iterator[None]:
    context: Any = multiprocessing.get_context("spawn")
    found, done = context.SimpleQueue(), context.Event()
    holder = context.Process(target=hold, args=(server.port, keys, cookies, listeners, found, done), daemon=True)
    holder.start()
    expect(found.get(), "the kernel does not know who listens")
    stop = threading.Event()
    told: list[int] = []
    seen: list[int] = []
    are_seen = threading.Event()
    reading = threading.Thread(target=keep_reading, args=(server.port, cookies[0], are_seen, seen))
    reading.start()
    writing = threading.Thread(target=keep_writing, args=(server.url, writer, stop, told))
    writing.start()
    try:
        yield
    finally:
        stop.set()
        writing.join()
        time.sleep(CUT_OFF_WITHIN)
        are_seen.set()
        reading.join()
        done.set()
        ends, stayed = found.get()
        holder.join()
    numbers = seen[-len(told) :]
    expect(
        numbers == list(range(toll.messages + 1, toll.messages + len(told) + 1)), "a page that reads missed some"
    )
    toll.messages += len(told)
    toll.ends += ends
    toll.stayed += stayed


def keep_writing(url: str, key: str, stop: threading.Event, told: list[int]) -> None:
    wire = Wire(key)
    with httpx2.Client(timeout=30) as http:
        began = time.monotonic()
        for number in count():
            if stop.wait(max(0.0, began + number * SAID_EVERY - time.monotonic())):
                return
            said = {"action": "message", "roomId": ROOM, "message": f"{number} ".ljust(TEXT_BYTES, "x")}
            message = wire.request("tools/call", {"name": "collaboration", "arguments": said})
            headers = wire.headers(message) | {"host": url.removeprefix("http://")}
            answer = http.post(f"{url}/mcp", json=message, headers=headers)
            expect(answer.status_code == 200 and not answer.json()["result"]["isError"], answer.text)
            told.append(TEXT_BYTES)


def keep_reading(port: int, cookie: str, until: threading.Event, seen: list[int]) -> None:
    """The numbers of all messages, as a page shows them."""
    address, origin = f"ws://127.0.0.1:{port}/ws/rooms/{ROOM}", f"http://127.0.0.1:{port}"
    with connect(address, additional_headers={"Cookie": cookie, "Origin": origin}, max_size=None) as socket:
        socket.send(json.dumps({"do": "follow"}))
        while not until.is_set():
            with suppress(TimeoutError):
                seen += [one["sequence"] for one in json.loads(socket.recv(1)).get("messages", ())]


def hold(port: int, keys: list[str], cookies: list[str], listeners: int, found: Any, done: Any) -> None:
    """In a process of its own. Puts whether the kernel knows all; later, who was cut off, and who was not."""
    opened, kinds = [], list(KINDS)
    for number in range(listeners):
        kind, user = kinds[number % len(kinds)], number // len(kinds) % len(keys)
        opened.append((KINDS[kind](port, keys[user], cookies[user]), kind))
    began = time.monotonic()
    found.put(are_known(port, {client.getsockname()[1] for client, _ in opened}))
    done.wait()
    ends, stayed = Counter[str](), Counter[str]()
    while (kept := kept_by_the_server(port)) and time.monotonic() < began + FOUND_BY_PING_WITHIN:
        if not any(client.getsockname()[1] in kept for client, kind in opened if kind in FOUND_BY_PING):
            break
        time.sleep(0.5)
    for client, kind in opened:
        (stayed if client.getsockname()[1] in kept else ends)[kind] += 1
        client.close()
    found.put((ends, stayed))


def are_known(port: int, clients: set[int]) -> bool:
    """Whether the kernel says of all that a process has them, as soon as that has accepted them."""
    until = time.monotonic() + ACCEPTED_WITHIN
    while not clients <= kept_by_the_server(port):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def kept_by_the_server(port: int) -> set[int]:
    """The ports of clients whose connection still belongs to a process, as the kernel says.

    A client cannot tell: what the kernel has for it comes first, and then it asks less and less often whether a
    peer that took nothing takes more.
    """
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    owned = [(port_of(own), port_of(peer)) for _, own, peer, *_, inode in (row[:10] for row in rows) if int(inode)]
    return {peer for own, peer in owned if own == port}


def port_of(address: str) -> int:
    return int(address.partition(":")[2], 16)


def full(here: Site) -> str:
    """200 listeners that do not read"""
    toll = run(here, here.start(), 200)
    toll.heard.check()
    told = 200 // len(KINDS) * toll.messages * TEXT_BYTES / 1e6
    return (
        f"{toll.ends.total()} cut off ({dict(toll.ends)}), {toll.stayed.total()} whose events the kernel took;"
        f" {toll.messages} messages, {told / SECONDS / TURNS:.1f} MB of events a second, all seen by who reads;"
        f" others' p99 {toll.heard}; afterwards {toll.after}"
    )
