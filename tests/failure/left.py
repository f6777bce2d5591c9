"""Sessions opened and left by clients that never come back, and what they leave behind."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from .client import Client
from .servers import Server, Site

SESSIONS_OF_ONE = 200
"""As many as the server keeps of one credential."""
AT_ONCE = 8


@dataclass
class Remains:
    opened: int
    seconds: float
    slowest_call: float
    """Seconds, of a client that went on calling meanwhile."""
    grown: float
    """MiB of memory, afterwards."""
    rows: int
    """Sessions after the cleanup."""


async def leave(server: Server, keys: list[str], sessions: int) -> tuple[float, float]:
    """Seconds it took, and the slowest call of a bystander."""
    waiting = iter([key for key in keys for _ in range(SESSIONS_OF_ONE)][:sessions])
    stop = asyncio.Event()
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        bystander = tasks.create_task(keep_calling(Client([server.url], keys[-1]), stop))
        opening = [tasks.create_task(open_all(Client([server.url], ""), waiting)) for _ in range(AT_ONCE)]
        await asyncio.gather(*opening)
        stop.set()
    return time.perf_counter() - started, bystander.result()


async def open_all(client: Client, keys: Iterator[str]) -> None:
    for key in keys:
        client.become(key)
        await client.open()
    await client.close()


async def keep_calling(client: Client, stop: asyncio.Event) -> float:
    await client.open()
    slowest = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        await client.call("echo", text="still here")
        slowest = max(slowest, time.perf_counter() - began)
    await client.close()
    return slowest


def memory(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def run(site: Site, server: Server, sessions: int) -> Remains:
    keys = site.keys(*(f"user{number}" for number in range(-(-sessions // SESSIONS_OF_ONE) + 1)))
    asyncio.run(leave(server, keys[-1:], 100))  # what a server grows by in its first calls is not what is asked
    before = memory(server)
    seconds, slowest = asyncio.run(leave(server, keys, sessions))
    grown = memory(server) - before
    with psycopg.connect(site.database, autocommit=True) as database:
        opened = database.execute("SELECT count(*) FROM sessions_session WHERE ended_at IS NULL").fetchone()
        database.execute("UPDATE sessions_session SET last_activity_at = last_activity_at - interval '2 days'")
        site.run("manage.py", "cleanup")
        rows = database.execute("SELECT count(*) FROM sessions_session WHERE calls = 0").fetchone()
    assert opened is not None
    assert rows is not None
    return Remains(opened[0], seconds, slowest, grown, rows[0])
