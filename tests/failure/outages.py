"""A Redis that is killed, paused and emptied under load: nobody is refused, and hardly anybody waits."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from tests.redis_server import RedisServer

from .caller import Caller, percentile
from .client import Wrong
from .servers import Server, Site

CLIENTS = 4
QUIET = 2.0
"""Seconds of calls before, during and after each outage."""
MOST_WAITED = 0.25
"""Seconds that a call may wait for a Redis that is away, beside what calls take anyway."""
BACK_WITHIN = 5.0


@dataclass
class Outage:
    name: str
    calls: int
    usual_p99: float
    slowest: float
    """Seconds, of all calls from its begin to the end of the test."""
    waited: int
    """Calls that took longer than the slowest before, and than a tenth of a second."""
    back_after: float
    """Seconds until calls are counted in Redis again."""


@dataclass(frozen=True)
class Blow:
    name: str
    go_away: Callable[[], None]
    come_back: Callable[[], None] = lambda: None


async def suffer(server: Server, key: str, kept: RedisServer, blow: Blow) -> Outage:
    callers, done = [Caller(server.url, key) for _ in range(CLIENTS)], asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(keep_calling(caller, done))
        await asyncio.sleep(QUIET)
        began = time.monotonic()
        await asyncio.to_thread(blow.go_away)
        await asyncio.sleep(QUIET)
        await asyncio.to_thread(blow.come_back)
        returned = time.monotonic()
        await asyncio.to_thread(until_counted, kept)
        back_after = time.monotonic() - returned
        await asyncio.sleep(QUIET)
        done.set()
    seen = [seen for caller in callers for seen in caller.seen]
    for caller in callers:
        await caller.close()
    if wrong := {each.status for each in seen if not each.is_success}:
        raise Wrong(f"{blow.name}: refused with {wrong}")
    before = [each.seconds for each in seen if each.began + each.seconds < began]
    after = [each.seconds for each in seen if each.began + each.seconds >= began]
    waited = sum(seconds > max(0.1, max(before)) for seconds in after)
    return Outage(blow.name, len(seen), percentile(before, 0.99), max(after), waited, back_after)


async def keep_calling(caller: Caller, done: asyncio.Event) -> None:
    while not done.is_set():
        await caller.call("echo", text="still here")


def until_counted(kept: RedisServer) -> None:
    """Raises: Wrong if the server does not find it again."""
    deadline = time.monotonic() + 2 * BACK_WITHIN
    with redis.Redis.from_url(kept.url) as client:
        client.delete(*client.keys("concierge:limit:calls:*"), "nothing")
        while not client.keys("concierge:limit:calls:*"):
            if time.monotonic() > deadline:
                raise Wrong("calls are not counted in Redis again")
            time.sleep(0.02)


def check(outage: Outage) -> None:
    assert outage.slowest <= MOST_WAITED + max(0.1, 3 * outage.usual_p99), f"a call took {outage.slowest:.2f} s"
    # Those that were under way when it went, in each worker; then everybody knows.
    assert outage.waited <= 2 * CLIENTS, f"{outage.waited} calls waited"
    assert outage.back_after <= BACK_WITHIN, f"it was back after {outage.back_after:.1f} s"


async def suffer_all(server: Server, key: str, kept: RedisServer) -> list[Outage]:
    blows = [
        Blow("killed", kept.kill, kept.start),
        Blow("paused", kept.pause, kept.go_on),
        Blow("emptied", kept.flush),
    ]
    return [await suffer(server, key, kept, blow) for blow in blows]


def run(site: Site, server: Server, kept: RedisServer) -> list[Outage]:
    outages = asyncio.run(suffer_all(server, site.keys("alice")[0], kept))
    for outage in outages:
        check(outage)
    return outages
