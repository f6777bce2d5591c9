"""Slow tools called in numbers by one principal, and what somebody else notices."""

import asyncio
import multiprocessing
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2

from tests.wire import Wire

from .held import Held, held, settle
from .quiet import Heard, beside
from .rounds import expect
from .servers import Server, Site

SECONDS = 6.0
"""Of each phase; and each slow call takes as long, so that those who get a thread hold it for all of it."""
ON_A_THREAD = {"name": "order", "arguments": {"number": 1}}
"""What the bystander calls: a tool that needs one of the threads which the slow ones would like to have."""
RATE_LIMITED = -32029


@dataclass
class Toll:
    heard: Heard
    served: int = 0
    refused: int = 0
    after: Held = field(default_factory=Held)


def run(site: Site, server: Server, calls: int, seconds: float = SECONDS) -> Toll:
    """Raises: Wrong."""
    mine, his, mine_too = site.keys("bystander", "slow", "watcher")
    before = held(site, server, mine_too)
    toll = Toll(Heard(0, 0, 0))
    disturbance = partial(dawdling, server.url, his, calls, seconds, toll)
    toll.heard = beside(server.port, mine, disturbance, seconds, ON_A_THREAD)
    expect(toll.served > 0, "no slow call was served")
    expect(toll.refused > 0, "no slow call was refused")
    toll.after = settle(site, server, mine_too, before)
    return toll


@contextmanager
def dawdling(url: str, key: str, calls: int, seconds: float, toll: Toll) -> Iterator[None]:
    """So many calls at once, from a process of their own."""
    context: Any = multiprocessing.get_context("spawn")
    found = context.SimpleQueue()
    attacker = context.Process(target=attack, args=(url, key, calls, seconds, found))
    attacker.start()
    found.get()
    try:
        yield
    finally:
        ends: Counter[str] = found.get()
        attacker.join()
    expect(ends.keys() <= {"served", "refused"}, ends)
    expect(ends.total() == calls, ends)
    toll.served += ends["served"]
    toll.refused += ends["refused"]


def attack(url: str, key: str, calls: int, seconds: float, found: Any) -> None:
    found.put(None)
    found.put(asyncio.run(call_at_once(url, key, calls, seconds)))


async def call_at_once(url: str, key: str, calls: int, seconds: float) -> Counter[str]:
    limits = httpx2.Limits(max_connections=calls, max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=60, limits=limits) as http:
        ends = await asyncio.gather(*(call(http, url, key, f"slow {number}", seconds) for number in range(calls)))
    return Counter(ends)


async def call(http: httpx2.AsyncClient, url: str, key: str, text: str, seconds: float) -> str:
    """How it ended: `served`, `refused`, or what else it was."""
    wire = Wire(key)
    message = wire.request("tools/call", {"name": "dawdle", "arguments": {"text": text, "seconds": seconds}})
    headers = wire.headers(message) | {"host": url.removeprefix("http://")}
    answer = await http.post(f"{url}/mcp", json=message, headers=headers)
    said = answer.json()
    if answer.status_code == 429 and said["error"]["code"] == RATE_LIMITED and answer.headers["retry-after"]:
        return "refused"
    if answer.status_code == 200 and said["result"]["content"][0]["text"] == text:
        return "served"
    return f"{answer.status_code} {said}"


def full(here: Site) -> str:
    """Slow tools, 50 at once, of one principal"""
    toll = run(here, here.start(WORKERS="2"), 50)
    toll.heard.check()
    return (
        f"{toll.served} calls of {SECONDS:.0f} s served, {toll.refused} refused; others' p99 {toll.heard};"
        f" afterwards {toll.after}"
    )
