"""Workers killed with `kill -9` again and again, under clients that only repeat what failed."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from .client import Client, Wrong
from .rounds import work
from .servers import Server, Site

Choose = Callable[[list[int], set[int]], int | None]
"""Whom to kill: of the workers, the oldest first, and of those that have served. None: nobody yet."""
CLIENTS = 4
WORKERS = 4
EVERY = 1.0
"""Seconds between kills, at least."""
REPLACED_WITHIN = 30.0
"""Seconds. Starting costs a second and a half of CPU, of which the clients leave little."""
LONGEST_PAUSE = 5.0
"""Seconds without a round of any client, while there is always a worker that could serve it."""


@dataclass
class Toll:
    kills: int = 0
    seconds: float = 0
    served: set[int] = field(default_factory=set)
    """Process ids of the workers that answered."""
    rounds: list[float] = field(default_factory=list)
    """When they were done."""
    repeated: int = 0
    acknowledged: int = 0

    @property
    def longest_pause(self) -> float:
        return max(after - before for before, after in itertools.pairwise(self.rounds))


async def survive(site: Site, server: Server, key: str, kills: int, choose: Choose) -> Toll:
    """Raises: Wrong, AssertionError for a session or an acknowledged reply that was lost."""
    clients = [Client([server.url], key) for _ in range(CLIENTS)]
    for client in clients:
        await client.open()
    toll = Toll()
    async with asyncio.TaskGroup() as tasks:
        killing = tasks.create_task(kill(server, toll, kills, choose))
        for client in clients:
            tasks.create_task(keep_working(client, toll, killing))
    for client in clients:
        await client.close()
        toll.repeated += client.repeated
        toll.acknowledged += len(client.acknowledged)
    check_rows(site, clients)
    return toll


async def kill(server: Server, toll: Toll, kills: int, choose: Choose) -> None:
    began = time.monotonic()
    for _ in range(kills):
        await asyncio.sleep(EVERY)
        os.kill(await victim(server, toll.served, choose), signal.SIGKILL)
        toll.kills += 1
    toll.seconds = time.monotonic() - began


async def victim(server: Server, served: set[int], choose: Choose) -> int:
    """Raises: Wrong if there is none for too long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REPLACED_WITHIN):
            while True:
                if (pid := choose(server.workers(), served)) is not None:
                    return pid
                await asyncio.sleep(0.05)
    raise Wrong(f"no killed worker was replaced within {REPLACED_WITHIN:g} s")


def oldest_of_several(workers: list[int], served: set[int]) -> int | None:
    """That has served, but never the only one: starting one takes a while."""
    serving = [pid for pid in workers if pid in served]
    return serving[0] if len(serving) > 1 else None


def oldest(workers: list[int], served: set[int]) -> int | None:
    """Whether it has served or not, and whatever is left."""
    return workers[0] if workers else None


async def keep_working(client: Client, toll: Toll, killing: "asyncio.Task[None]") -> None:
    for number in itertools.count():
        await work(client, number)
        toll.served.add(int(await client.call("worker")))
        toll.rounds.append(time.monotonic())
        if killing.done():
            return


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


def check(toll: Toll) -> None:
    """Somebody was served all the while, and no kill cost a client more than one request."""
    check_replies(toll)
    assert toll.longest_pause < LONGEST_PAUSE, f"nobody was served for {toll.longest_pause:.1f} s"
    fewest, most = toll.kills // 10, toll.kills * CLIENTS
    assert fewest <= toll.repeated <= most, f"{toll.repeated} repeated, after {toll.kills} kills"


def check_replies(toll: Toll) -> None:
    """Everybody was asked in every round."""
    assert toll.acknowledged >= len(toll.rounds) > 0, f"{toll.acknowledged} replies in {len(toll.rounds)} rounds"


def run(site: Site, server: Server, kills: int) -> Toll:
    toll = asyncio.run(survive(site, server, site.keys("alice")[0], kills, oldest_of_several))
    check(toll)
    return toll


def run_without_mercy(site: Site, server: Server, kills: int) -> Toll:
    """One a second, whatever is left: nobody may be served for a while, and nothing may be lost."""
    toll = asyncio.run(survive(site, server, site.keys("alice")[0], kills, oldest))
    check_replies(toll)
    return toll
