"""nginx in front of two servers, which takes them in turn: nothing goes wrong, also while they are restarted."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.nginx import Nginx
from tests.services import nginx_path

from . import rooms, same_ids, turns
from .caller import Caller, percentile
from .client import Client, Wrong
from .page import Page
from .readers import ModernSubscriber, Poller, Reader, SessionSubscriber
from .rounds import expect
from .servers import Server, Site
from .socket_caller import SocketCaller
from .traffic import Attempt, Traffic
from .writers import Agent, Said

ROUNDS, REPLIES, MESSAGES = 200, 3000, 400
CLIENTS = 10
"""With a credential each, in `same_ids`: nginx lets an address have 256 connections."""
LEAST_PART = 0.3
"""Of the requests, that each of two servers has to have had."""
RATE = 50.0
"""Calls a second."""
RESTARTS, RELOADS = 5, 5
"""Of each of two servers; and of all workers of one."""
NOTICE = 3
"""CONCIERGE_STOP_NOTICE, as it is out of the box."""
REPLACED_WITHIN = 60.0
"""Seconds, for all workers."""
ROOM = "restarted"


@dataclass
class House:
    """nginx, and the servers behind it."""

    url: str
    site: Site
    nginx: Nginx
    servers: list[Server]

    def served(self) -> Counter[str]:
        """Requests by the server that answered, as nginx's access log has it."""
        lines = self.nginx.access_log.read_text().splitlines()
        return Counter(str(json.loads(line)["server"]).rpartition(", ")[2] for line in lines)


@contextmanager
def house(site: Site, servers: int = 2, **environment: str) -> Iterator[House]:
    """Raises: RuntimeError without nginx."""
    if nginx_path() is None:
        raise RuntimeError("nginx is not installed, and this test needs it")
    home = site.home / f"nginx-{time.monotonic_ns()}"
    home.mkdir()
    nginx = Nginx(home, scheme="http")
    url = f"http://127.0.0.1:{nginx.port}"
    behind = {"CONCIERGE_PUBLIC_URL": url, "CONCIERGE_TRUSTED_PROXIES": "127.0.0.1"} | environment
    started = [site.start(**behind) for _ in range(servers)]
    with nginx.running([server.port for server in started]):
        yield House(url, site, nginx, started)


# --- Quiet ---


def in_turn(here: House, rounds: int, replies: int, messages: int) -> None:
    """All that clients do, without sticky routes; nothing has to be repeated. Raises: Wrong, AssertionError."""
    keys = here.site.keys("alice", *(f"user{number}" for number in range(CLIENTS)))
    asyncio.run(turns.turns([here.url], keys[0], rounds))
    asyncio.run(same_ids.compare(here.url, keys[1:], replies))
    toll = rooms.run(here.site, here.servers[0], messages, url=here.url)
    expect(toll.repeated == toll.returned == 0, toll)
    served = here.served()
    least = sum(served.values()) * LEAST_PART
    expect(len(served) == len(here.servers) and min(served.values()) >= least, served)


# --- Restarted ---


@dataclass
class Toll:
    calls: int
    seconds: float
    repeated: Counter[str]
    """Calls by what had become of them, and attempts after it."""
    p99: float
    slowest: float
    messages: int
    returned: int
    """How often who reads had to come back."""


class Asks(Protocol):
    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]: ...


@dataclass
class Public:
    """Who calls, and who listens, while servers come and go."""

    callers: list[Attempt]
    readers: list[Reader]
    clients: list[Client]
    """Those of the handshake era, whose replies to what they are asked are repeated by themselves."""
    socket: SocketCaller
    said: Said = field(default_factory=Said)

    @classmethod
    async def gather(cls, here: House) -> "Public":
        users = ["agents", "sessions", "pages", "programs"]
        keys = here.site.keys(*users)
        rooms.open_room(here.url, ROOM, keys)
        (cookie,) = here.site.cookies("pages")
        agents, sessions, _, programs = keys
        clients = [Client([here.url], sessions) for _ in range(3)]
        for client in clients:
            await client.open()
        public = cls([], [], clients, SocketCaller(here.url, programs))
        echoes: list[Asks] = [
            Caller(here.url, agents),
            AtOnce(clients[0]),
            public.socket,
            Caller(here.url, programs),
            AtOnce(clients[1]),
        ]
        writer = Agent("agent", Caller(here.url, agents), ROOM)
        public.callers = [
            *(echoed_by(each) for each in echoes),
            answered_by(AtOnce(clients[2])),
            *(echoed_by(each) for each in echoes[:3]),
            public.said_by(writer),
        ]
        public.readers = [
            ModernSubscriber("subscription", here.url, ROOM, agents),
            SessionSubscriber("stream", here.url, ROOM, sessions),
            Poller("poller", here.url, ROOM, programs),
            Page("page", here.url, ROOM, cookie),
        ]
        return public

    def said_by(self, writer: Agent) -> Attempt:
        async def say(number: int) -> None:
            text, key = f"{number}: something new", f"key {number}"
            self.said.acknowledged[key] = (await writer.post(text, key), text)

        return say

    async def endure(self, rate: float, disturbance: Awaitable[None]) -> Toll:
        """Raises: Wrong."""
        traffic, began = Traffic(), time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(reader.read()) for reader in self.readers]
            disturbing = tasks.create_task(finish(disturbance))
            await traffic.flow(self.callers, rate, disturbing)
            await rooms.all_read(self.readers, len(self.said.acknowledged))
            for task in reading:
                task.cancel()
        await self.socket.close()
        if again := sum(client.repeated for client in self.clients):
            traffic.repeated["a reply or a notification"] += again
        return Toll(
            len(traffic.seconds),
            time.monotonic() - began,
            traffic.repeated,
            percentile(traffic.seconds, 0.99),
            max(traffic.seconds),
            len(self.said.acknowledged),
            sum(reader.returned for reader in self.readers),
        )


@dataclass
class AtOnce:
    """A client of the handshake era whose calls are repeated by who asks."""

    client: Client

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return await self.client.ask_once(method, params)


def echoed_by(client: Asks) -> Attempt:
    async def echo(number: int) -> None:
        await expect_of(client, "echo", str(number), str(number))

    return echo


def answered_by(client: Asks) -> Attempt:
    """Which is asked back; its reply reaches whichever server."""

    async def ask(number: int) -> None:
        await expect_of(client, "ask", str(number), f"{number}: yes")

    return ask


async def expect_of(client: Asks, tool: str, text: str, expected: str) -> None:
    result = await client.ask("tools/call", {"name": tool, "arguments": {"text": text}})
    expect(not result.get("isError") and result["content"][0]["text"] == expected, result)


async def finish(disturbance: Awaitable[None]) -> None:
    await disturbance


async def restart(servers: Sequence[Server], times: int) -> None:
    """One after the other."""
    for _ in range(times):
        for server in servers:
            await asyncio.to_thread(server.restart)


async def reload(server: Server, times: int) -> None:
    """All its workers, by SIGHUP. Raises: Wrong."""
    for _ in range(times):
        before = set(server.workers())
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + REPLACED_WITHIN
        while before & set(now := server.workers()) or len(now) != len(before):
            if time.monotonic() > deadline:
                raise Wrong("the workers were not replaced")
            await asyncio.sleep(0.1)


def endure(here: House, rate: float, disturb: Callable[[], Awaitable[None]]) -> Toll:
    """Raises: Wrong for a call that failed, or a listener who missed something."""

    async def all_of_it() -> tuple[Public, Toll]:
        public = await Public.gather(here)
        return public, await public.endure(rate, disturb())

    public, toll = asyncio.run(all_of_it())
    rooms.check(here.site, ROOM, public.said, public.readers, toll.messages)
    return toll


# --- At full size ---


def full(here: Site) -> str:
    """Two servers behind nginx, in turn, and restarted one after the other"""
    with house(here, CONCIERGE_STOP_NOTICE=str(NOTICE)) as pair:
        in_turn(pair, ROUNDS, REPLIES, MESSAGES)
        restarted = endure(pair, RATE, lambda: restart(pair.servers, RESTARTS))
    return f"{ROUNDS} rounds, {REPLIES} calls, {MESSAGES} messages, none repeated; {told(restarted)}"


def reloaded(here: Site) -> str:
    """The workers of a server behind nginx, replaced by SIGHUP"""
    with house(here, 1, WORKERS="2") as one:
        toll = endure(one, RATE, lambda: reload(one.servers[0], RELOADS))
    # Who speaks over a socket that is being closed is told so, or hears nothing; over HTTP nobody notices.
    over_http = {what: count for what, count in toll.repeated.items() if not what.startswith("the socket")}
    expect(not over_http, over_http)
    return told(toll)


def told(toll: Toll) -> str:
    again = ", ".join(f"{count} of {what}" for what, count in toll.repeated.items())
    return (
        f"{toll.calls} calls in {toll.seconds:.0f} s, none failed, {toll.repeated.total()} tried again"
        f" ({again or 'nothing'}), p99 {toll.p99 * 1000:.0f} ms, slowest {toll.slowest * 1000:.0f} ms;"
        f" {toll.messages} messages told to each listener, who came back {toll.returned} times"
    )
