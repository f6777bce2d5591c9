"""Workers killed under writers of every kind: what was acknowledged is there once, and nothing by halves."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psycopg

from . import kills
from .caller import Caller
from .client import Client, Lost
from .rooms import check_kept, open_room
from .rounds import expect
from .servers import Server, Site
from .setters import COUNT, Counter, Keeper, RestKeeper
from .writers import Agent, Program, Said, Writer, write

WRITES = 10_000
"""At least; and as many more as are made until the last worker was killed."""
DEATHS = 100
ROOM = "written"
KINDS = ("agents", "sessions", "programs", "counters", "keepers", "rest-keepers")
"""Of writers; and each kind is a user."""
OVER_MCP = ("agents", "sessions", "counters", "keepers")
Database = psycopg.Connection[tuple[Any, ...]]
ASKS_EVERY = 0.05
"""Seconds between two questions for who serves."""


@dataclass
class Toll:
    acknowledged: int
    seconds: float
    kills: int
    repeated: int
    """Writes that had to be sent again."""
    counted: int
    """Of these, additions to one number by comparing versions."""


@dataclass
class Group:
    """The writers of a kind, and what was acknowledged to them."""

    writers: list[Writer]
    clients: list[Client] = field(default_factory=list)
    """Theirs that repeat by themselves."""
    said: Said = field(default_factory=Said)

    @property
    def repeated(self) -> int:
        return self.said.repeated + sum(client.repeated for client in self.clients)


async def survive(server: Server, groups: list[Group], asker: Caller, writes: int, deaths: int) -> float:
    """How many seconds it took. Raises: Wrong."""
    began = time.monotonic()
    toll = kills.Toll()
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask_who_serves(asker, toll.served))
        killing = tasks.create_task(kills.kill(server, toll, deaths, kills.oldest_of_several))
        numbers = enough(writes, killing)
        writing = [
            tasks.create_task(write(writer, numbers, group.said)) for group in groups for writer in group.writers
        ]
        await asyncio.wait(writing)
        asking.cancel()
    return time.monotonic() - began


def enough(writes: int, killing: "asyncio.Task[None]") -> Iterator[int]:
    """So many, and more until the last kill."""
    for number in itertools.count():
        if number >= writes and killing.done():
            return
        yield number


async def ask_who_serves(asker: Caller, served: set[int]) -> None:
    """For ever: so that each kill hits a worker that serves, and not the only one."""
    while True:
        with suppress(Lost):
            result = await asker.ask("tools/call", {"name": "worker", "arguments": {}})
            served.add(int(result["content"][0]["text"]))
        await asyncio.sleep(ASKS_EVERY)


def gather(url: str, keys: dict[str, str]) -> dict[str, Group]:
    """By kind. They have a room, and a number in it to count on."""
    open_room(url, ROOM, list(keys.values()))
    begin_to_count(url, keys["counters"])
    sessions = [Client([url], keys["sessions"]) for _ in range(2)]
    of_counter = Client([url], keys["counters"])
    modern = [Caller(url, keys["agents"]) for _ in range(2)]
    return {
        "agents": Group([Agent(f"agent {n}", client, ROOM) for n, client in enumerate(modern)]),
        "sessions": Group([Agent(f"session {n}", client, ROOM) for n, client in enumerate(sessions)], sessions),
        "programs": Group([Program(f"program {n}", url, ROOM, keys["programs"]) for n in range(2)]),
        "counters": Group(
            [Counter("counter 0", Caller(url, keys["counters"]), ROOM), Counter("counter 1", of_counter, ROOM)],
            [of_counter],
        ),
        "keepers": Group([Keeper("kept-over-mcp", Caller(url, keys["keepers"]))]),
        "rest-keepers": Group([RestKeeper("kept-over-rest", url, keys["rest-keepers"])]),
    }


def begin_to_count(url: str, key: str) -> None:
    nothing = {"value": {"total": 0, "last": {}}}
    headers = {"authorization": f"Bearer {key}"}
    httpx2.put(f"{url}/api/rooms/{ROOM}/state/{COUNT}/", json=nothing, headers=headers).raise_for_status()


def check(site: Site, groups: dict[str, Group]) -> None:
    """Of each kind. Raises: Wrong."""
    messages = Said({k: v for kind in ("agents", "sessions", "programs") for k, v in known(groups, kind).items()})
    check_kept(site, ROOM, messages, len(messages.acknowledged))
    with psycopg.connect(site.database) as database:
        check_count(database, known(groups, "counters"))
        for kind in ("keepers", "rest-keepers"):
            check_preferences(database, kind, known(groups, kind))
        for kind in OVER_MCP:
            check_record(database, kind, len(known(groups, kind)))
    findings = site.run("-m", "tests.failure.findings")
    expect(not findings, findings)


def known(groups: dict[str, Group], kind: str) -> dict[str, tuple[int, str]]:
    return groups[kind].said.acknowledged


def check_count(database: Database, acknowledged: dict[str, tuple[int, str]]) -> None:
    """Each addition made the total one more, and the room counted as many changes, beside that of its members."""
    totals = sorted(total for total, _ in acknowledged.values())
    expect(totals == list(range(1, len(totals) + 1)), "the totals have gaps, or one twice")
    row = database.execute(
        "SELECT value, revision, version FROM collab_shared_state JOIN collab_room ON room_id = collab_room.id"
        " WHERE key = %s",
        [COUNT],
    ).fetchone()
    assert row is not None
    expect(json.loads(row[0])["total"] == len(totals), f"{row[0]} after {len(totals)} additions")
    joined = len(KINDS) - 1
    expect(row[1] == row[2] == joined + 1 + len(totals), f"revision {row[1]}, version {row[2]}, {len(totals)}")


def check_preferences(database: Database, user: str, acknowledged: dict[str, tuple[int, str]]) -> None:
    """What was acknowledged last is there."""
    *_, (_, last) = acknowledged.values()
    rows = database.execute(
        "SELECT value FROM sessions_preference JOIN sessions_user ON user_id = sessions_user.id"
        " WHERE username = %s",
        [user],
    ).fetchall()
    expect([json.loads(value) for (value,) in rows] == [last], f"{user} has {rows}, and {last} was the last")


def check_record(database: Database, user: str, effects: int) -> None:
    """A call has its row if and only if it has its effect.

    What was sent again is the same call, and has the same digest; other calls of these users that write succeeded
    none.
    """
    row = database.execute(
        "SELECT count(DISTINCT arguments_digest) FROM tools_tool_call"
        " WHERE username = %s AND kind = 'tool' AND outcome = 'ok'",
        [user],
    ).fetchone()
    expect(row == (effects,), f"{user}: {effects} calls took effect, and the record has {row}")


def run(site: Site, server: Server, writes: int, deaths: int) -> Toll:
    """Raises: Wrong."""
    *keys, key_of_asker = site.keys(*KINDS, "asker")
    groups = gather(server.url, dict(zip(KINDS, keys, strict=True)))
    seconds = asyncio.run(survive(server, list(groups.values()), Caller(server.url, key_of_asker), writes, deaths))
    check(site, groups)
    return Toll(
        sum(len(group.said.acknowledged) for group in groups.values()),
        seconds,
        deaths,
        sum(group.repeated for group in groups.values()),
        len(known(groups, "counters")),
    )


def full(here: Site) -> str:
    """Writes of every kind, with workers killed"""
    toll = run(here, here.start(WORKERS=str(kills.WORKERS)), WRITES, DEATHS)
    return (
        f"{toll.acknowledged} writes acknowledged in {toll.seconds:.0f} s, {toll.counted} of them additions to one"
        f" number, with {toll.kills} workers killed and {toll.repeated} sent again: none lost, none doubled,"
        " each tool call on record that took effect, and no other"
    )
