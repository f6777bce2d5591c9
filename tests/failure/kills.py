"""Workers killed with `kill -9` again and again, under clients that only repeat what failed."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from .client import Client
from .rounds import work
from .servers import Server, Site

CLIENTS = 4
EVERY = 1.0
"""Seconds between kills."""


@dataclass
class Toll:
    kills: int
    rounds: int
    repeated: int
    acknowledged: int


async def survive(site: Site, server: Server, key: str, seconds: float) -> Toll:
    """Raises: Wrong, AssertionError for a session or an acknowledged reply that was lost."""
    clients = [Client([server.url], key) for _ in range(CLIENTS)]
    for client in clients:
        await client.open()
    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        killing = tasks.create_task(kill(server, until))
        working = [tasks.create_task(keep_working(client, until)) for client in clients]
    for client in clients:
        await client.close()
    check_rows(site, clients)
    return Toll(
        kills=killing.result(),
        rounds=sum(task.result() for task in working),
        repeated=sum(client.repeated for client in clients),
        acknowledged=sum(len(client.acknowledged) for client in clients),
    )


async def kill(server: Server, until: float) -> int:
    """The oldest worker each time, so that each has served before it dies."""
    kills = 0
    while time.monotonic() < until:
        await asyncio.sleep(EVERY)
        if workers := server.workers():
            with suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGKILL)
                kills += 1
    return kills


async def keep_working(client: Client, until: float) -> int:
    rounds = 0
    while time.monotonic() < until:
        await work(client, rounds)
        rounds += 1
    return rounds


def check_rows(site: Site, clients: list[Client]) -> None:
    """What the database says of the sessions and of the replies that were acknowledged."""
    with psycopg.connect(site.database) as database:
        live = database.execute(
            "SELECT count(*) FROM sessions_session WHERE ended_at IS NULL AND public_id = ANY(%s)",
            [[client.session_id for client in clients]],
        ).fetchone()
        kept = database.execute(
            "SELECT count(*) FROM sessions_server_request WHERE replied_at IS NOT NULL AND request_id = ANY(%s)",
            [[acknowledged for client in clients for acknowledged in client.acknowledged]],
        ).fetchone()
    assert live == (len(clients),), f"sessions left: {live}"
    assert kept == (sum(len(client.acknowledged) for client in clients),), f"replies kept: {kept}"


def run(site: Site, server: Server, seconds: float) -> Toll:
    return asyncio.run(survive(site, server, site.keys("alice")[0], seconds))
