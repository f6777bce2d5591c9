"""Sessions opened and left by clients that never come back, and what they leave behind."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from .client import Client
from .servers import Server, Site

SESSIONS_OF_ONE = 200
"""As many as the server keeps of one credential."""
AT_ONCE = 8
MOST_GROWTH = 50
"""MiB."""
SLOWEST_CALL = 2.0
"""Seconds, of somebody who only echoes, among those who open sessions as fast as they can."""


@dataclass
class Remains:
    opened: int
    seconds: float
    """What the opening took."""
    slowest_call: float
    """Seconds, of a client that went on calling, until the cleanup was done."""
    grown: float
    """MiB of memory, afterwards."""
    rows: int
    """Of the sessions that were left, after the cleanup."""


class Bystander:
    """A client that calls all the while."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.slowest_call = 0.0
        self._is_done = False

    async def keep_calling(self) -> None:
        while not self._is_done:
            began = time.perf_counter()
            await self.client.call("echo", text="still here")
            self.slowest_call = max(self.slowest_call, time.perf_counter() - began)
        await self.client.close()

    def leave(self) -> None:
        self._is_done = True


async def leave(site: Site, server: Server, keys: list[str], sessions: int) -> Remains:
    """The last of the keys is the bystander's."""
    await open_sessions(server, keys[-1:], SESSIONS_OF_ONE // 2)  # what a server's first calls take is not asked
    before = memory(server)
    bystander = Bystander(Client([server.url], keys[-1]))
    await bystander.client.open()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bystander.keep_calling())
        seconds = await open_sessions(server, keys[:-1], sessions)
        opened, rows = await asyncio.to_thread(clean, site, bystander.client.session_id)
        bystander.leave()
    return Remains(opened, seconds, bystander.slowest_call, memory(server) - before, rows)


async def open_sessions(server: Server, keys: list[str], sessions: int) -> float:
    """The seconds it took."""
    waiting = iter([key for key in keys for _ in range(SESSIONS_OF_ONE)][:sessions])
    began = time.perf_counter()
    await asyncio.gather(*(open_all(Client([server.url], ""), waiting) for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def open_all(client: Client, keys: Iterator[str]) -> None:
    for key in keys:
        client.become(key)
        await client.open()
    await client.close()


def clean(site: Site, bystander: str) -> tuple[int, int]:
    """How many sessions were left, and how many are when two days have passed and the cleanup has run."""
    with psycopg.connect(site.database, autocommit=True) as database:

        def left(condition: str) -> int:
            counted = f"SELECT count(*) FROM sessions_session WHERE calls = 0 AND public_id <> %s AND {condition}"
            row: tuple[Any, ...] | None = database.execute(counted, [bystander]).fetchone()
            return row[0] if row else 0

        opened = left("ended_at IS NULL")
        database.execute(
            "UPDATE sessions_session SET last_activity_at = last_activity_at - interval '2 days'"
            " WHERE public_id <> %s", [bystander],
        )  # fmt: skip
        site.run("manage.py", "cleanup")
        return opened, left("TRUE")


def memory(server: Server) -> float:
    (worker,) = server.workers()
    status = Path(f"/proc/{worker}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def check(remains: Remains, sessions: int) -> None:
    assert remains.opened >= sessions, f"{remains.opened} sessions of {sessions}"
    assert remains.rows == 0, f"{remains.rows} sessions left after the cleanup"
    assert remains.grown <= MOST_GROWTH, f"{remains.grown:.0f} MiB more"
    assert remains.slowest_call <= SLOWEST_CALL, f"a call took {remains.slowest_call:.1f} s"


def run(site: Site, server: Server, sessions: int) -> Remains:
    keys = site.keys(*(f"user{number}" for number in range(-(-sessions // SESSIONS_OF_ONE) + 1)))
    remains = asyncio.run(leave(site, server, keys, sessions))
    check(remains, sessions)
    return remains
