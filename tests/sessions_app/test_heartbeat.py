"""Which processes serve, as they say of themselves: a row while they live, and none when they are gone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from sessions_app.models import RefusalHour, User, Worker
from sessions_app.pool import background_pool
from sessions_app.refusals import Reason, refusals
from sessions_app.transport import heartbeat as module
from sessions_app.transport.heartbeat import Heartbeat
from tests.conftest import key_for
from tests.socket import SocketWire

SECOND = timedelta(seconds=1)


@pytest.fixture
async def heart(db_for_threads: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heartbeat]:
    monkeypatch.setattr(module, "EVERY", 0.01)
    heart = Heartbeat()
    heart.begin()
    yield heart
    await heart.end()


async def workers(**wanted: Any) -> list[Worker]:
    return await background_pool.run(lambda: list(Worker.objects.filter(**wanted)))


async def seen(**wanted: Any) -> Worker:
    await happens(Worker.objects.filter(**wanted).exists)
    return (await workers(**wanted))[0]


async def happens(is_so: Callable[[], bool]) -> None:
    """Asked on a thread, as the database has to be."""
    for _ in range(500):
        if await background_pool.run(is_so):
            return
        await asyncio.sleep(0.01)
    pytest.fail("did not happen in time")


def make_worker(ago: timedelta, **details: Any) -> Worker:
    now = timezone.now()
    usual = {"instance": f"{ago}", "host": "web-1", "pid": 7, "version": "0.1.0", "started_at": now - ago}
    return Worker.objects.create(**{**usual, "seen_at": now - ago, **details})


async def test_it_says_that_it_serves_and_takes_that_back_when_it_ends(heart: Heartbeat) -> None:
    worker = await seen()
    assert worker.seen_at - worker.started_at < 10 * SECOND
    await seen(seen_at__gt=worker.seen_at)
    assert len(await workers()) == 1
    await heart.end()
    assert await workers() == []


async def test_it_says_how_many_sockets_it_holds(heart: Heartbeat, alice: User) -> None:
    await seen(sockets=0)
    key = await background_pool.run(lambda: key_for(alice))
    client = await SocketWire.open(key)
    await client.ask("tools/list")
    await seen(sockets=1)
    await client.leave()
    await seen(sockets=0)


async def test_refusals_are_written_along(heart: Heartbeat) -> None:
    refusals.count(Reason.TOO_SLOW)
    await happens(RefusalHour.objects.exists)


async def test_those_of_the_last_seconds_are_written_at_the_end(db_for_threads: None) -> None:
    heart = Heartbeat()
    heart.begin()
    await seen()
    refusals.count(Reason.TOO_SLOW)
    await heart.end()
    assert await background_pool.run(RefusalHour.objects.count) == 1


async def test_a_database_that_is_away_is_said_once_and_survived(
    heart: Heartbeat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await seen()
    failures = 0

    def fail() -> None:
        nonlocal failures
        failures += 1
        raise OperationalError("away")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(refusals, "write", fail)
        await happens(lambda: failures >= 3)
        now = timezone.now()
    assert caplog.text.count("This worker cannot say that it serves: away") == 1
    await seen(seen_at__gt=now, instance=worker.instance)


async def test_one_that_never_began_ends_in_peace() -> None:
    await Heartbeat().end()


@pytest.mark.usefixtures("db_for_threads")
def test_one_that_was_not_seen_for_fifteen_seconds_does_not_count_as_alive() -> None:
    make_worker(16 * SECOND)
    lately = make_worker(14 * SECOND)
    assert list(Worker.objects.alive()) == [lately]


@pytest.mark.usefixtures("db_for_threads")
def test_one_that_was_not_seen_for_a_minute_is_gone() -> None:
    gone = make_worker(61 * SECOND)
    make_worker(59 * SECOND)
    assert list(Worker.objects.gone()) == [gone]


async def test_any_other_worker_takes_the_row_of_a_killed_one_away(heart: Heartbeat) -> None:
    killed = await background_pool.run(lambda: make_worker(61 * SECOND))
    await happens(lambda: not Worker.objects.filter(pk=killed.pk).exists())
    assert len(await workers()) == 1


def test_it_is_named_by_its_machine_and_number() -> None:
    assert str(Worker(host="web-1", pid=7)) == "web-1:7"
