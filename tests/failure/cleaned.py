"""`manage.py cleanup` of very many rows on SQLite, beside a server that is called all the while."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from .caller import Caller, percentile
from .client import Wrong
from .servers import Server, Site

P99_AT_MOST = 0.2
"""Seconds."""


@dataclass
class Toll:
    rows: int
    seconds: float
    calls: int
    p50: float
    p99: float
    slowest: float


async def clean(site: Site, server: Server, key: str) -> tuple[float, Caller]:
    """Seconds that it took, and who called meanwhile: reading and writing in turn."""
    caller, done = Caller(server.url, key), asyncio.Event()
    calling = asyncio.create_task(keep_calling(caller, done))
    began = time.perf_counter()
    await asyncio.to_thread(site.run, "manage.py", "cleanup")
    seconds = time.perf_counter() - began
    done.set()
    await calling
    await caller.close()
    return seconds, caller


async def keep_calling(caller: Caller, done: asyncio.Event) -> None:
    number = 0
    while not done.is_set():
        await caller.call("get-user-profile")
        await caller.call("manage-preferences", action="set", key="count", value=number)
        number += 1


def check(toll: Toll, server: Server) -> None:
    assert "database is locked" not in server.log.read_text()
    assert toll.p99 < P99_AT_MOST, f"p99 of calls was {toll.p99 * 1000:.0f} ms"


def run(site: Site, server: Server, rows: int) -> Toll:
    key = site.keys("alice")[0]
    site.run("-m", "tests.failure.leave", str(rows))
    seconds, caller = asyncio.run(clean(site, server, key))
    if wrong := {seen.status for seen in caller.seen if not seen.is_success}:
        raise Wrong(f"refused with {wrong}")
    with closing(sqlite3.connect(site.home / "concierge.sqlite3")) as connection:
        (left,) = connection.execute("SELECT count(*) FROM sessions_session WHERE label = 'left'").fetchone()
    assert left == 0, f"{left} rows left"
    took = [seen.seconds for seen in caller.seen]
    toll = Toll(rows, seconds, len(took), percentile(took, 0.5), percentile(took, 0.99), max(took))
    check(toll, server)
    return toll
