"""What the workers of a server hold: memory, descriptors, tasks, jobs on threads, connections to the database."""

import time
from dataclasses import dataclass, fields
from typing import Any

import httpx2
import psycopg

from tests.wire import Wire

from .rounds import expect
from .servers import Server, Site
from .vitals import descriptors, memory

MOST_GROWTH = 50
"""MiB, of each worker."""
SETTLES_WITHIN = 10.0
"""Seconds."""
SLACK = {"descriptors": 24, "tasks": 4}
"""Of each worker: connections to the database and to Redis are kept, up to their pools' sizes."""
ASKED_AT_MOST = 200
HELD = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND state LIKE 'idle in transaction%%'"
)


@dataclass
class Held:
    """Of all workers together."""

    memory: float = 0
    """MiB."""
    descriptors: int = 0
    tasks: int = 0
    """Of the event loops."""
    jobs: int = 0
    """On threads of pools, or waiting for one."""
    calls: int = 0
    streams: int = 0
    sockets: int = 0
    operations: int = 0
    """Of the caller who asks, in the shared state."""
    transactions: int = 0
    """That nobody is at work in."""

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name):.0f}" for field in fields(self))


def held(site: Site, server: Server, key: str) -> Held:
    """Each request connects anew, and so reaches any worker, until all have answered."""
    workers = set(server.workers())
    seen = Held()
    for _ in range(ASKED_AT_MOST):
        said = ask(server, key)
        if (pid := said.pop("pid")) in workers:
            workers.remove(pid)
            seen.memory += memory(pid)
            seen.descriptors += descriptors(pid)
            seen.operations = said.pop("operations")
            for name, number in said.items():
                setattr(seen, name, getattr(seen, name) + number)
        if not workers:
            break
    expect(not workers, f"{workers} do not answer")
    if site.database:
        with psycopg.connect(site.database) as database:
            (seen.transactions,) = database.execute(HELD).fetchone() or (0,)
    return seen


def ask(server: Server, key: str) -> dict[str, Any]:
    wire = Wire(key)
    message = wire.request("tools/call", {"name": "vitals", "arguments": {}})
    headers = wire.headers(message) | {"host": f"127.0.0.1:{server.port}"}
    answer = httpx2.post(f"{server.url}/mcp", json=message, headers=headers, timeout=30).json()
    expect("result" in answer and not answer["result"]["isError"], answer)
    said: dict[str, Any] = answer["result"]["structuredContent"]
    return said


def settle(site: Site, server: Server, key: str, before: Held, within: float = SETTLES_WITHIN) -> Held:
    """Wait until they hold no more than before. Raises: Wrong."""
    workers, deadline = len(server.workers()), time.monotonic() + within
    while (over := excess(now := held(site, server, key), before, workers)) and time.monotonic() < deadline:
        time.sleep(0.2)
    expect(not over, f"{', '.join(over)} did not come back: {now}; before: {before}")
    return now


def excess(now: Held, before: Held, workers: int) -> list[str]:
    slack = SLACK | {"memory": MOST_GROWTH}
    return [
        field.name
        for field in fields(now)
        if getattr(now, field.name) > getattr(before, field.name) + slack.get(field.name, 0) * workers
    ]
