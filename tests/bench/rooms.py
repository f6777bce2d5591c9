"""How long until everybody in a room has heard it? `python -m tests.bench --only rooms`.

One process on PostgreSQL and Redis, a hundred pages and a hundred agents' subscriptions on one room, and an agent
that says something ten times a second. Measured from the moment its request is sent.
"""

import json
import multiprocessing
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path
from socket import create_connection, socket

from tests.bench.contest import OURS, clean_environ, manage
from tests.bench.lines import WebSocketLine, enveloped, frame, listen
from tests.bench.load import MODERN, WrongAnswer
from tests.bench.servers import ROOT, Entrant, Running, started
from tests.services import own_database, own_redis

ROOM = "bench"
USERS, OF_EACH = 20, 5
"""Pages, and as many subscriptions."""
WARM_UP, MESSAGES = 30, 300
EVERY = 0.1
"""Seconds."""
TARGET = 0.25
"""Seconds that 99 of 100 may take, to a page and to an agent."""
LISTENS_WITHIN = 60.0
HEARD_WITHIN = 3.0
SEQUENCE = re.compile(rb'"sequence":(\d+)')
UPDATED = b"notifications/resources/updated"
PING, PONG = 9, b"\x8a"


@dataclass(frozen=True)
class Post:
    """When it was sent, and when its answer was there, by the clock that all processes of a machine share."""

    sent: float
    answered: float


@dataclass
class Heard:
    pages: list[dict[int, float]]
    """By each: when it was shown which message."""
    agents: list[list[float]]
    """By each: when it was told that there is something new."""


class Page:
    def __init__(self, port: int, cookie: str, number: int) -> None:
        names = (f"Cookie: {cookie}", f"Origin: http://127.0.0.1:{port}")
        self._line = WebSocketLine.open(port, number=number, path=f"/ws/rooms/{ROOM}", names=names)
        self.socket = self._line.socket
        self.socket.sendall(frame(json.dumps({"do": "follow"})))
        self.shown: dict[int, float] = {}
        while b'"members"' not in self._line.read():
            pass

    def hear(self) -> None:
        self._line.more()
        now = time.monotonic()
        while self._line.buffer:
            is_ping = self._line.buffer[0] & 15 == PING
            if (payload := self._line.take()) is None:
                return
            if is_ping:
                self.socket.sendall(PONG + frame(payload.decode())[1:])
            elif b'"messages"' in payload:
                for sequence in SEQUENCE.findall(payload):
                    self.shown.setdefault(int(sequence), now)


class Agent:
    def __init__(self, port: int, key: str, number: int) -> None:
        wanted = {"resourceSubscriptions": [f"room://{ROOM}/messages"]}
        self.socket: socket = listen(port, key, number, enveloped("subscriptions/listen", notifications=wanted))
        self.told: list[float] = []
        self._rest = b""

    def hear(self) -> None:
        if not (data := self.socket.recv(65536)):
            raise WrongAnswer("a subscription ended")
        now = time.monotonic()
        *whole, self._rest = (self._rest + data).split(b"\n")
        self.told += [now for line in whole if UPDATED in line]


def attend(port: int, keys: list[str], cookies: list[str], core: int, told: Connection) -> None:
    """All who listen, in a process of their own. Says when they do; and what they heard, when it is asked."""
    os.sched_setaffinity(0, {core})
    pages = [Page(port, cookie, number) for number, cookie in enumerate(cookies * OF_EACH)]
    agents = [Agent(port, key, number) for number, key in enumerate(keys * OF_EACH)]
    told.send(None)
    with selectors.DefaultSelector() as selector:
        listeners: list[Page | Agent] = [*pages, *agents]
        for each in listeners:
            selector.register(each.socket, selectors.EVENT_READ, each.hear)
        while not told.poll():
            for key, _ in selector.select(0.5):
                key.data()
    told.send(Heard([page.shown for page in pages], [agent.told for agent in agents]))


class Speaker:
    """An agent with one connection, which calls `collaboration`."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {
            "Authorization": f"Bearer {key}", "Content-Type": "application/json", "Mcp-Method": "tools/call",
            "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": MODERN,
            "Mcp-Name": "collaboration",
        }  # fmt: skip

    def call(self, **arguments: str) -> Post:
        body = json.dumps(enveloped("tools/call", name="collaboration", arguments={"roomId": ROOM, **arguments}))
        sent = time.monotonic()
        self._connection.request("POST", "/mcp", body, self._headers)
        answer = self._connection.getresponse().read()
        answered = time.monotonic()
        if b'"isError":true' in answer or b'"result"' not in answer:
            raise WrongAnswer(answer.decode())
        return Post(sent, answered)

    def speak(self, messages: int) -> list[Post]:
        posts = []
        for number in range(messages):
            began = time.monotonic()
            posts.append(self.call(action="message", message=f"The {number}th thing that somebody says here"))
            time.sleep(max(0.0, began + EVERY - time.monotonic()))
        return posts


@contextmanager
def serving(scratch: Path, core: int) -> Iterator[tuple[Running, list[str], list[str]]]:
    """A server of one process; keys and cookies of users."""
    with own_database(f"concierge_bench_{os.getpid()}") as database, own_redis() as redis:
        data = scratch / "data"
        data.mkdir(mode=0o700)
        environ = clean_environ() | {
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "CONCIERGE_DATA_DIR": str(data),
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "CONCIERGE_POST_RATE": "999999/m",
            "CONCIERGE_LOG_LEVEL": "WARNING",
        }
        manage(environ, "migrate", "--verbosity=0")
        users = [f"user-{number}" for number in range(USERS)]
        keys = printed(environ, "tests.failure.keys", *users)
        cookies = printed(environ, "tests.failure.cookies", *users)
        entrant = Entrant(OURS, [], keys[0], environ, [sys.executable, "-m", "tests.bench.served"])
        with started(entrant, core=core, log=scratch / "server.log") as server:
            wait_until_listening(server)
            yield server, keys, cookies


def printed(environ: dict[str, str], module: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()


def wait_until_listening(server: Running) -> None:
    deadline = time.monotonic() + LISTENS_WITHIN
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            return create_connection(("127.0.0.1", server.port)).close()
        except ConnectionError:
            time.sleep(0.05)
    raise server.failed("did not listen")


def measure(scratch: Path) -> dict[str, list[float]]:
    """Sorted seconds: of the call itself, to each page, to each agent. Raises: WrongAnswer."""
    server_core, *_, load_core = sorted(os.sched_getaffinity(0))
    with serving(scratch, server_core) as (server, keys, cookies):
        speaker = Speaker(server.port, keys[0])
        speaker.call(action="create", roomName="Bench")
        for key in keys[1:]:
            Speaker(server.port, key).call(action="join")
        spawn = multiprocessing.get_context("spawn")
        here, there = spawn.Pipe()
        listening = spawn.Process(target=attend, args=(server.port, keys, cookies, load_core, there))
        listening.start()
        there.close()
        os.sched_setaffinity(0, {load_core})
        here.recv()  # all do
        speaker.speak(WARM_UP)
        before = server.cpu()
        posts = speaker.speak(MESSAGES)
        cpu = (server.cpu() - before) / MESSAGES
        time.sleep(HEARD_WITHIN)
        here.send(None)
        heard: Heard = here.recv()
        listening.join()
        print(f"server: {cpu * 1000:.1f} ms of CPU for each message, {server.rss():.0f} MiB")
    return {
        "the call itself": sorted(post.answered - post.sent for post in posts),
        "to a page": sorted(to_pages(posts, heard.pages)),
        "to an agent": sorted(to_agents(posts, heard.agents)),
    }


def to_pages(posts: list[Post], pages: list[dict[int, float]]) -> Iterator[float]:
    for shown in pages:
        for number, post in enumerate(posts, 1 + WARM_UP):
            if number not in shown:
                raise WrongAnswer(f"a page was not shown message {number}")
            yield shown[number] - post.sent


def to_agents(posts: list[Post], agents: list[list[float]]) -> Iterator[float]:
    """Notices have no number. Where all came, each is its message's; where some were merged, what came first after
    the answer is."""
    for told in agents:
        all_came = len(told) == len(posts) + WARM_UP
        for number, post in enumerate(posts, WARM_UP):
            later = (at for at in told if at >= post.answered)
            yield (told[number] if all_came else next(later, told[-1])) - post.sent


def percentile(seconds: list[float], part: float) -> float:
    return seconds[min(len(seconds) - 1, int(len(seconds) * part))]


def main(*, check: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        took = measure(Path(name))
    listeners = USERS * OF_EACH
    print(f"{MESSAGES} messages, one in {EVERY:g} s, to {listeners} pages and {listeners} agents: milliseconds")
    print(f"{'':<16}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}")
    for what, seconds in took.items():
        figures = (percentile(seconds, part) * 1000 for part in (0.5, 0.95, 0.99, 1))
        print(f"{what:<16}" + "".join(f"{figure:>8.1f}" for figure in figures))
    slowest = max(percentile(took[what], 0.99) for what in ("to a page", "to an agent"))
    is_met = slowest <= TARGET
    print(f"target: p99 ≤ {TARGET * 1000:.0f} ms: {'met' if is_met else 'missed'} ({slowest * 1000:.0f} ms)")
    return 1 if check and not is_met else 0
