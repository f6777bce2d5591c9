"""One room, written to and read by every way at once; with workers killed meanwhile, or not."""

import asyncio
import itertools
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

import httpx2
import psycopg

from .caller import Caller
from .client import Client
from .kills import oldest, victim
from .page import Page
from .readers import ModernSubscriber, Poller, Reader, SessionSubscriber
from .rounds import expect
from .servers import Server, Site
from .writers import Agent, Program, Said, Writer, write

KINDS = ("agents", "sessions", "pages", "programs")
"""Of writers, two each; and each kind is a user."""
READ_WITHIN = 30.0
"""Seconds in which whoever reads has seen the last message."""
KILLED_EVERY = 2.0
"""Seconds, at least. Starting a worker costs a second and a half of CPU, of which the others leave little."""


@dataclass
class Toll:
    messages: int
    seconds: float
    repeated: int
    """Messages that had to be sent again."""
    kills: int
    returned: int
    """How often readers had to come back."""
    caught_up: float
    """Seconds from the last acknowledgement until everybody had read all."""


@dataclass
class Company:
    """Who meets in a room. The pages of who writes in a browser show what they are told, as others do."""

    writers: list[Writer]
    readers: list[Reader]

    @classmethod
    def gather(cls, site: Site, url: str, room: str) -> "Company":
        users = [f"{kind}-{room}" for kind in KINDS]
        keys = site.keys(*users)
        agents, sessions, _, programs = keys
        open_room(url, room, keys)
        (cookie,) = site.cookies(users[2])
        pages = [Page(f"page {number}", url, room, cookie) for number in range(3)]
        writers: list[Writer] = [
            *(Agent(f"agent {number}", Caller(url, agents), room) for number in range(2)),
            *(Agent(f"session {number}", Client([url], sessions), room) for number in range(2)),
            *pages[:2],
            *(Program(f"program {number}", url, room, programs) for number in range(2)),
        ]
        readers: list[Reader] = [
            ModernSubscriber("subscription", url, room, agents),
            SessionSubscriber("stream", url, room, sessions),
            Poller("poller", url, room, sessions),
            *pages,
        ]
        return cls(writers, readers)

    async def meet(self, server: Server, messages: int, kills: int) -> tuple[Said, Toll]:
        """Raises: Wrong."""
        said, began = Said(), time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(reader.read()) for reader in self.readers]
            await asyncio.gather(*(page.opened.wait() for page in self.readers if isinstance(page, Page)))
            killing = tasks.create_task(kill(server, said, kills))
            numbers = iter(range(messages))
            writing = [tasks.create_task(write(writer, numbers, said)) for writer in self.writers]
            await asyncio.wait(writing)
            written = time.monotonic()
            await all_read(self.readers, messages)
            caught_up = time.monotonic() - written
            expect(killing.done(), "all was said before the last kill")
            for task in reading:
                task.cancel()
        returned = sum(reader.returned for reader in self.readers)
        return said, Toll(messages, written - began, said.repeated, kills, returned, caught_up)


def open_room(url: str, room: str, keys: list[str]) -> None:
    owner, *others = ({"authorization": f"Bearer {key}"} for key in keys)
    about = {"id": room, "name": "Everybody"}
    httpx2.post(f"{url}/api/rooms/", json=about, headers=owner).raise_for_status()
    for headers in others:
        httpx2.post(f"{url}/api/rooms/{room}/join/", headers=headers).raise_for_status()


async def all_read(readers: list[Reader], messages: int) -> None:
    """Or after a while: what is missing then is said when it is compared."""
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_WITHIN):
            while any(reader.last < messages for reader in readers):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def kill(server: Server, said: Said, most: int) -> None:
    """The oldest worker, which serves: something was said since the one before was killed."""
    before = 0
    for _ in range(most):
        await asyncio.sleep(KILLED_EVERY)
        while len(said.acknowledged) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        before = len(said.acknowledged)
        os.kill(await victim(server, set(), oldest), signal.SIGKILL)


def check(site: Site, room: str, said: Said, readers: list[Reader], messages: int) -> None:
    """Everybody saw the same, which is what the database has, which is what was acknowledged."""
    told = check_kept(site, room, said, messages)
    for reader in readers:
        expect(reader.seen == told, f"{reader.name} saw {faults(reader.seen, told)}")


def check_kept(site: Site, room: str, said: Said, messages: int) -> list[tuple[int, str]]:
    """The numbers and texts of what the database has, which is what was acknowledged, each once."""
    with psycopg.connect(site.database) as database:
        rows = database.execute(
            "SELECT sequence, text, idempotency_key FROM collab_message"
            " WHERE room_id = (SELECT id FROM collab_room WHERE public_id = %s) ORDER BY sequence",
            [room],
        ).fetchall()
    expect([row[0] for row in rows] == list(range(1, messages + 1)), "the numbers have gaps")
    kept = {key: (sequence, text) for sequence, text, key in rows}
    expect(kept == said.acknowledged, differences(kept, said.acknowledged))
    return [(sequence, text) for sequence, text, _ in rows]


def differences(kept: dict[str, tuple[int, str]], acknowledged: dict[str, tuple[int, str]]) -> str:
    only_kept, only_acknowledged = kept.items() - acknowledged.items(), acknowledged.items() - kept.items()
    return f"kept and not acknowledged: {only_kept}; acknowledged and not kept: {only_acknowledged}"


def faults(seen: list[tuple[int, str]], told: list[tuple[int, str]]) -> str:
    """In words, what is wrong with it."""
    numbers = [number for number, _ in seen]
    missed = sorted({number for number, _ in told} - set(numbers))
    disorder = [pair for pair in itertools.pairwise(numbers) if pair[1] != pair[0] + 1]
    return f"{len(seen)} of {len(told)}, without {missed[:20]}, with these after each other: {disorder[:20]}"


def run(site: Site, server: Server, messages: int, kills: int = 0, url: str | None = None) -> Toll:
    """The kills have to be over before everything is said. `url`: of what is in front. Raises: Wrong."""
    room = f"everybody-{messages}-{kills}"
    company = Company.gather(site, url or server.url, room)
    said, toll = asyncio.run(company.meet(server, messages, kills))
    check(site, room, said, company.readers, messages)
    return toll
