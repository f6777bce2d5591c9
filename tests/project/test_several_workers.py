"""Two workers on one socket: what one of them, or their parent, may suffer without anybody noticing."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from project.workers import PAUSE
from tests.process import Process, paused, until

from .clients import Clients

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def pair(two_workers: Callable[[], Process]) -> Process:
    process = two_workers()
    until(lambda: len(process.workers) == 2)
    return process


def is_served(process: Process) -> bool:
    return not process.call("get-user-profile")["isError"]


def test_each_of_two_workers_serves(pair: Process) -> None:
    for worker in pair.workers:
        with paused(worker):
            assert is_served(pair)


def kill_one(pair: Process, worker: int) -> int:
    """The one that comes in its place."""
    before = pair.workers
    os.kill(worker, signal.SIGKILL)
    until(lambda: len(pair.workers - before) == 1, seconds=PAUSE * 0.75)
    [new] = pair.workers - before
    return new


def test_a_killed_worker_is_replaced_at_once_and_its_sibling_serves_meanwhile(pair: Process) -> None:
    killed, sibling = pair.workers
    starting = kill_one(pair, killed)
    assert is_served(pair)
    new = kill_one(pair, starting)
    with paused(sibling):
        assert is_served(pair)  # by the new one, once it has started
    assert new in pair.workers


def test_hup_replaces_the_workers_one_by_one_and_loses_no_call(pair: Process) -> None:
    before = pair.workers
    clients = Clients(pair, 4, "wait", seconds=0.1)
    pair.popen.send_signal(signal.SIGHUP)
    until(lambda: len(pair.workers) == 2 and not before & pair.workers)
    clients.leave()
    assert (clients.lost, clients.wrong) == ([], [])
    assert clients.answered > 10


def test_workers_end_with_their_parent(pair: Process) -> None:
    workers = pair.workers
    clients = Clients(pair, 4, "wait", seconds=0.5)
    until(lambda: clients.answered > 0)
    pair.popen.kill()
    clients.wait_until_refused()
    assert (clients.lost, clients.wrong) == ([], [])
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_limit_is_exact_over_both_workers(pair: Process) -> None:
    """Four hundred calls by eight connections, at a limit of a hundred."""
    made = pair.manage("createkey", "operator", "--name", "limited", "--rate", "100/h", "--quiet")
    statuses = Counter(asyncio.run(call_often(pair, made.strip(), 400)))
    assert statuses == {200: 100, 429: 300}


async def call_often(process: Process, key: str, times: int) -> list[int]:
    request = process.request("tools/call", {"name": "echo", "arguments": {"text": "x"}})
    request["headers"]["authorization"] = f"Bearer {key}"
    # Each connects anew, so that both workers are reached.
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=8, max_keepalive_connections=0)) as http:
        answers = await asyncio.gather(*(http.post(**request) for _ in range(times)))
    return [answer.status_code for answer in answers]


# --- What a session has in common over both ---


def test_what_runs_in_one_is_seen_from_the_other(pair: Process) -> None:
    first, second = pair.workers
    with paused(second):
        client = Clients(pair, 1, "wait", seconds=4)
        until(lambda: noted(pair) == ["wait"], seconds=5)  # by the first, which alone runs
    with paused(first):
        assert noted(pair) == ["wait"]
    client.leave()
    until(lambda: noted(pair) == [], seconds=10)


def noted(pair: Process) -> list[str]:
    active = pair.call("session-analytics")["structuredContent"]["activeOperations"]
    return [operation["toolName"] for operation in active]


def test_what_is_cached_through_one_is_served_by_the_other_and_goes_with_the_session(pair: Process) -> None:
    first, second = pair.workers
    with paused(second):
        fresh = pair.call("cached-data-fetch", dataType="reports")["structuredContent"]
    with paused(first):
        cached = pair.call("cached-data-fetch", dataType="reports")["structuredContent"]
    assert (fresh["source"], cached["source"]) == ("fresh", "cached")
    assert fresh["data"] == cached["data"]
    code = "from sessions_app.models import Session; print(Session.objects.all().end('by a test'))"
    assert int(pair.manage("shell", "--no-imports", "-c", code)) >= 1
    for worker, other in ((first, second), (second, first)):
        with paused(worker):
            analytics = pair.call("session-analytics")["structuredContent"]
        assert analytics["cacheEntries"] == 0, other
        assert analytics["activeOperations"] == []
