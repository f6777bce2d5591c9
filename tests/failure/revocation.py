"""Keys revoked in another process while their clients call both workers and hold a stream."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass

from project.config import BASE_DIR

from .caller import Caller, percentile
from .client import Wrong
from .servers import Server, Site

CALLING_AT_ONCE = 4
GOES_ON_FOR = 0.2
"""Seconds of calls after the revocation."""
STREAM_ENDS_WITHIN = 1.0
"""Seconds, for 99 of 100."""


@dataclass
class Toll:
    tries: int
    calls: int
    successes_before: int
    stream_p50: float
    stream_p99: float
    """Seconds from the commit to the end of the stream."""


class Revoker:
    """`revoker.py`, under way."""

    def __init__(self, site: Site) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.failure.revoker"],
            cwd=BASE_DIR, env=site.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def revoke(self, key: str) -> float:
        """When the commit had returned."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print("_".join(key.split("_")[:2]), file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


async def one_try(url: str, key: str, address: str, revoker: Revoker) -> tuple[list[Caller], float, float]:
    """Its callers, when the key was revoked, and when its stream ended."""
    callers = [Caller(url, key, address) for _ in range(CALLING_AT_ONCE)]
    listener = Caller(url, key, address)
    streaming = asyncio.ensure_future(listener.listen())
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(keep_calling(caller, done))
        await listener.is_listening.wait()
        for caller in callers:
            await caller.has_called.wait()
        revoked_at = await asyncio.to_thread(revoker.revoke, key)
        ended_at = await asyncio.wait_for(streaming, 10)
        await asyncio.sleep(GOES_ON_FOR)
        done.set()
    for caller in (*callers, listener):
        await caller.close()
    return callers, revoked_at, ended_at


async def keep_calling(caller: Caller, done: asyncio.Event) -> None:
    while not done.is_set():
        await caller.call("echo", text="still here")


async def measure(url: str, keys: list[str], revoker: Revoker) -> Toll:
    """Raises: Wrong for a call that succeeded though it began after the commit had returned."""
    waits, calls, before = [], 0, 0
    for number, key in enumerate(keys):
        address = f"127.0.{1 + number // 250}.{1 + number % 250}"
        callers, revoked_at, ended_at = await one_try(url, key, address, revoker)
        waits.append(ended_at - revoked_at)
        seen = [seen for caller in callers for seen in caller.seen]
        calls += len(seen)
        before += sum(each.is_success for each in seen)
        if late := [each for each in seen if each.began > revoked_at and each.is_success]:
            raise Wrong(f"{len(late)} calls succeeded after their key was revoked")
        if wrong := {each.status for each in seen if not each.is_success} - {401, 429}:
            raise Wrong(f"refused with {wrong}")
    return Toll(len(keys), calls, before, percentile(waits, 0.5), percentile(waits, 0.99))


def check(toll: Toll) -> None:
    assert toll.successes_before >= toll.tries * CALLING_AT_ONCE
    assert toll.calls > toll.successes_before
    assert toll.stream_p99 < STREAM_ENDS_WITHIN, f"a stream took {toll.stream_p99:.2f} s to end"


def run(site: Site, server: Server, tries: int) -> Toll:
    keys = site.keys(*(f"user{number}" for number in range(tries)))
    revoker = Revoker(site)
    try:
        toll = asyncio.run(measure(server.url, keys, revoker))
    finally:
        revoker.end()
    check(toll)
    return toll
