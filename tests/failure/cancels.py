"""Calls that are cancelled at random points, by every way there is, beside callers who only want their answers."""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.wire import Wire

from .caller import Caller
from .client import VERSION, Client
from .held import Held, held, settle
from .rounds import expect
from .servers import Server, Site

USERS = 6
AT_ONCE = 24
"""Who cancel: a quarter each by every way."""
BYSTANDERS = 4
LONGEST = 0.04
"""Seconds that a call is under way before it is cancelled: most would be done after half of that."""
KINDS: dict[str, Callable[[str, random.Random], dict[str, Any]]] = {
    "recall": lambda marker, chance: {"marker": marker},
    "note": lambda marker, chance: {"marker": marker, "seconds": chance.uniform(0, LONGEST / 2)},
    "doze": lambda marker, chance: {"marker": marker, "seconds": chance.uniform(0, LONGEST)},
    "tell": lambda marker, chance: {"marker": marker, "times": chance.randint(1, 20)},
    "ask": lambda marker, chance: {"text": marker},
}
"""By tool: that reads, writes, sleeps, reports progress, asks back."""


@dataclass
class Toll:
    calls: Counter[str] = field(default_factory=Counter)
    """By the way on which they were cancelled."""
    acknowledged: set[str] = field(default_factory=set)
    """What was said to be written down."""
    answered: int = 0
    """Before they could be cancelled."""
    beside: int = 0
    """Answers to others."""
    after: Held = field(default_factory=Held)


@dataclass
class Canceller:
    """One who calls and cancels, by one way."""

    url: str
    key: str
    name: str
    toll: Toll
    shares_a_wire: bool = False
    """Its calls do: what is said of one may come after another began, if it was not cancelled yet."""

    def __post_init__(self) -> None:
        self.chance, self.numbers = random.Random(self.name), itertools.count()
        self.begun: dict[str, dict[str, Any]] = {}
        """What was called, by its marker."""
        self.markers: dict[int, str] = {}
        """On a socket, by the request's id."""
        self.wire = Wire(self.key, capabilities={"elicitation": {"form": {}}})

    def next_call(self) -> tuple[str, dict[str, Any]]:
        """A marker, and what to call with it."""
        number = next(self.numbers)
        marker, kind = f"{self.name} {number}", list(KINDS)[number % len(KINDS)]
        params = {"name": kind, "arguments": KINDS[kind](marker, self.chance)}
        self.begun[marker] = call = {**params, "_meta": {"progressToken": marker}}
        return marker, call

    @property
    def delay(self) -> float:
        return self.chance.uniform(0, LONGEST)

    def take(self, marker: str, call: dict[str, Any], message: dict[str, Any]) -> None:
        """Whatever came: it is about this call, or an earlier one on the same wire. Raises: Wrong."""
        marker = self.markers.get(message.get("id", 0), marker)
        call = self.begun[marker]
        if message.get("method") == "notifications/progress":
            token = message["params"]["progressToken"]
            expect(token == message["params"]["message"], message)
            expect(token == marker or (self.shares_a_wire and token in self.begun), message)
        elif message.get("method") == "elicitation/create" or "inputRequests" in message.get("result", {}):
            pass
        else:
            expect("result" in message and not message["result"]["isError"], message)
            expect(message["result"]["content"][0]["text"] == marker, f"{message}, not {marker}")
            self.toll.answered += 1
            if call["name"] == "note":
                self.toll.acknowledged.add(marker)


async def by_closing(caller: Canceller, calls: int) -> None:
    """2026-07-28: whoever closes the connection cancels."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=30, limits=limits) as http:
        for _ in range(calls):
            marker, call = caller.next_call()
            message = caller.wire.request("tools/call", call)
            message["params"]["_meta"]["progressToken"] = marker
            headers = caller.wire.headers(message) | {"host": caller.url.removeprefix("http://")}
            with suppress(TimeoutError):
                async with asyncio.timeout(caller.delay):
                    async for said in messages_of(http, f"{caller.url}/mcp", message, headers):
                        caller.take(marker, call, said)


async def by_notification(caller: Canceller, calls: int) -> None:
    """The handshake's era: told by another connection, to whichever worker."""
    client = Client([caller.url], caller.key)
    await client.open()
    headers = {
        "authorization": f"Bearer {caller.key}",
        "accept": "application/json, text/event-stream",
        "mcp-session-id": client.session_id,
        "mcp-protocol-version": VERSION,
    }
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=30, limits=limits) as http:

        async def hear(marker: str, call: dict[str, Any], message: dict[str, Any]) -> None:
            async for said in messages_of(http, f"{caller.url}/mcp", message, headers):
                caller.take(marker, call, said)

        for number in range(calls):
            marker, call = caller.next_call()
            message = {"jsonrpc": "2.0", "id": number + 1, "method": "tools/call", "params": call}
            hearing = asyncio.create_task(hear(marker, call, message))
            while not hearing.done():
                await asyncio.wait([hearing], timeout=caller.delay)
                if not hearing.done():  # again if it came before the call, which it then cannot have cancelled
                    await client.post(cancelled(number + 1))
                    await asyncio.wait([hearing], timeout=0.5)
            await hearing
    await client.close()


async def over_a_socket(caller: Canceller, calls: int) -> None:
    """`notifications/cancelled` on the same socket."""
    ids, caller.shares_a_wire = itertools.count(1), True
    async with opened(caller) as socket:
        for _ in range(calls):
            marker, call = caller.next_call()
            request_id = await send(caller, socket, marker, call, next(ids))
            until = asyncio.get_running_loop().time() + caller.delay
            await hear_until(caller, socket, marker, call, until)
            await socket.send(json.dumps(cancelled(request_id)))
            # Its reply may have been on its way. What cancels it is admitted as a request is, so both may even
            # come after the next one's reply.
            ping = caller.wire.request("tools/call", {"name": "echo", "arguments": {"text": marker}})
            ping_id = next(ids)
            await socket.send(json.dumps(ping | {"id": ping_id}))
            while (said := json.loads(await socket.recv())).get("id") != ping_id:
                caller.take(marker, call, said)
            expect(said["result"]["content"][0]["text"] == marker, said)


async def by_dropping_a_socket(caller: Canceller, calls: int) -> None:
    for _ in range(calls):
        marker, call = caller.next_call()
        async with opened(caller) as socket:
            await send(caller, socket, marker, call, 1)
            await hear_until(caller, socket, marker, call, asyncio.get_running_loop().time() + caller.delay)
            socket.transport.abort()


WAYS: dict[str, Callable[[Canceller, int], Coroutine[Any, Any, None]]] = {
    "closed": by_closing,
    "notified": by_notification,
    "over a socket": over_a_socket,
    "dropped": by_dropping_a_socket,
}


def cancelled(request_id: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request_id}}


async def messages_of(
    http: httpx2.AsyncClient, url: str, message: dict[str, Any], headers: dict[str, Any]
) -> AsyncIterator[dict[str, Any]]:
    async with http.stream("POST", url, json=message, headers=headers) as answer:
        if answer.status_code not in (200, 202):
            expect(False, f"{answer.status_code} {(await answer.aread()).decode()}")
        async for line in answer.aiter_lines():
            if line.startswith(("data: ", "{")):
                yield json.loads(line.removeprefix("data: "))


def opened(caller: Canceller) -> connect:
    return connect(
        f"{caller.url.replace('http', 'ws')}/ws/mcp",
        subprotocols=[Subprotocol("mcp")],
        additional_headers={"Authorization": f"Bearer {caller.key}"},
        compression=None,
    )


async def send(
    caller: Canceller, socket: ClientConnection, marker: str, call: dict[str, Any], request_id: int
) -> int:
    caller.markers[request_id] = marker
    message = caller.wire.request("tools/call", call)
    message["params"]["_meta"]["progressToken"] = marker
    await socket.send(json.dumps(message | {"id": request_id}))
    return request_id


async def hear_until(
    caller: Canceller, socket: ClientConnection, marker: str, call: dict[str, Any], until: float
) -> None:
    with suppress(TimeoutError, ConnectionClosed):
        async with asyncio.timeout_at(until):
            while True:
                caller.take(marker, call, json.loads(await socket.recv()))


async def stand_by(url: str, key: str, name: str, toll: Toll) -> None:
    """Call until told to stop. Raises: Wrong for an answer that is not one's own."""
    caller = Caller(url, key)
    for number in itertools.count():
        marker = f"{name} {number}"
        tool = ("doze", "recall")[number % 2]
        arguments = {"marker": marker, **({"seconds": 0.001} if tool == "doze" else {})}
        result = await caller.ask("tools/call", {"name": tool, "arguments": arguments})
        expect(result["content"][0]["text"] == marker, f"{result}, not {marker}")
        toll.beside += 1


async def cancel_all(url: str, keys: list[str], mine: str, calls: int) -> Toll:
    toll = Toll()
    async with asyncio.TaskGroup() as tasks:
        standing = [
            tasks.create_task(stand_by(url, mine, f"bystander {number}", toll)) for number in range(BYSTANDERS)
        ]
        ways = itertools.cycle(WAYS)
        cancelling: list[asyncio.Task[None]] = []
        for number in range(AT_ONCE):
            way = next(ways)
            toll.calls[way] += calls // AT_ONCE
            caller = Canceller(url, keys[number % len(keys)], f"{way} {number}", toll)
            cancelling.append(tasks.create_task(WAYS[way](caller, calls // AT_ONCE)))
        await asyncio.gather(*cancelling)
        for task in standing:
            task.cancel()
    return toll


def run(site: Site, server: Server, calls: int) -> Toll:
    """Raises: Wrong."""
    *keys, mine, watcher = site.keys(*(f"user{number}" for number in range(USERS)), "bystander", "watcher")
    with psycopg.connect(site.database) as database:
        database.execute("CREATE TABLE IF NOT EXISTS noted (marker text PRIMARY KEY)")
    asyncio.run(cancel_all(server.url, keys, mine, AT_ONCE * len(KINDS)))  # what the first calls open is kept
    clear(site)
    before = held(site, server, watcher)
    toll = asyncio.run(cancel_all(server.url, keys, mine, calls))
    toll.after = settle(site, server, watcher, before)
    check(site, toll)
    return toll


def clear(site: Site) -> None:
    with psycopg.connect(site.database) as database:
        database.execute("DELETE FROM noted")
        database.execute("DELETE FROM tools_tool_call WHERE name = 'note'")


def check(site: Site, toll: Toll) -> None:
    """What was acknowledged is there; and all that is there is on record as done. Raises: Wrong."""
    with psycopg.connect(site.database) as database:
        there = {marker for (marker,) in database.execute("SELECT marker FROM noted")}
        done = database.execute("SELECT count(*) FROM tools_tool_call WHERE name = 'note' AND outcome = 'ok'")
        (on_record,) = done.fetchone() or (0,)
    expect(toll.acknowledged <= there, f"lost: {toll.acknowledged - there}")
    expect(len(there) == on_record, f"{len(there)} were written, {on_record} are on record")


def full(here: Site) -> str:
    """Calls cancelled at random points, by every way"""
    toll = run(here, here.start(WORKERS="2"), 10_000)
    return (
        f"{toll.calls.total()} calls, {toll.answered} answered before; {toll.beside} answers to others, each its"
        f" own; {len(toll.acknowledged)} acknowledged writes, none lost, none half done; afterwards {toll.after}"
    )
