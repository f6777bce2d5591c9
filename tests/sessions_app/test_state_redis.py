"""A Redis that is killed, that hangs, or that was emptied: calls go on, and nobody may do more than before."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import redis

from project.config import BASE_DIR
from sessions_app.limits import Bucket, Limit
from sessions_app.state import Operation, Ticket
from sessions_app.state import redis as redis_state
from sessions_app.state.redis import RedisState
from tests.redis_server import RedisServer, redis_server
from tests.services import own_redis
from tests.wire import until

pytestmark = pytest.mark.redis

ALICE = "user:1"
LIMIT = Bucket(Limit("calls", 5, 60), ALICE)
CLOSED = Bucket(Limit("closed", 5, 60, is_closed_without_redis=True), ALICE)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def state(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedisState]:
    monkeypatch.setattr(redis_state, "LOOK_AGAIN_EVERY", 0.05)
    server.flush()
    state = RedisState(server.url)
    yield state
    if state._looking is not None:
        state._looking.cancel()
    state._line.drop()
    await asyncio.sleep(0)
    state._client.close()


def die_and_rise(server: RedisServer) -> Callable[[], None]:
    server.kill()
    return server.start


def hang_and_go_on(server: RedisServer) -> Callable[[], None]:
    server.pause()
    return server.go_on


AWAY = [die_and_rise, hang_and_go_on]


async def seconds_of_a_call(state: RedisState, ticket: Ticket) -> float:
    began = time.perf_counter()
    await state.admit(ticket)
    return time.perf_counter() - began


@pytest.mark.parametrize("go_away", AWAY)
async def test_calls_go_on_while_it_is_away_and_one_of_them_waits(
    server: RedisServer, state: RedisState, go_away: Callable[[RedisServer], Callable[[], None]]
) -> None:
    before = (await state.admit(Ticket(ALICE))).epoch
    come_back = go_away(server)
    seconds = [await seconds_of_a_call(state, Ticket(ALICE)) for _ in range(20)]
    assert seconds[0] < 0.3
    assert max(seconds[1:]) < 0.005
    assert (await state.admit(Ticket(ALICE))).epoch is None
    come_back()
    await until(lambda: not state.is_away)
    after = (await state.admit(Ticket(ALICE))).epoch
    assert after is not None
    if go_away is die_and_rise:
        assert after != before  # it forgot, so everybody is read anew


@pytest.mark.parametrize("go_away", AWAY)
async def test_calls_that_wait_at_that_moment_go_on_together(
    server: RedisServer, state: RedisState, go_away: Callable[[RedisServer], Callable[[], None]]
) -> None:
    await state.admit(Ticket(ALICE))
    come_back = go_away(server)
    began = time.perf_counter()
    answers = await asyncio.gather(*(state.admit(Ticket(ALICE)) for _ in range(200)))
    assert time.perf_counter() - began < 0.4
    assert {answer.epoch for answer in answers} == {None}
    come_back()
    await until(lambda: not state.is_away)


async def test_limits_are_counted_in_the_process_meanwhile(server: RedisServer, state: RedisState) -> None:
    server.kill()
    answers = [await state.admit(Ticket(ALICE, [LIMIT])) for _ in range(7)]
    assert [answer.refused for answer in answers] == [None] * 5 + [LIMIT] * 2
    assert (await state.admit(Ticket(ALICE, [CLOSED]))).refused == CLOSED
    assert (await state.usage([LIMIT]))[0].remaining == 0
    threads = await asyncio.to_thread(lambda: [state.take([bucket]).refused for bucket in (LIMIT, CLOSED)])
    assert threads == [LIMIT, CLOSED]
    state.change(ALICE)
    operation = Operation("1", "echo", "", 0.0)
    await state.admit(ticket := Ticket(ALICE, (), operation, 1))
    assert await state.operations(ALICE) == [operation]
    state.finish(ticket)
    assert await state.operations(ALICE) == []
    server.start()
    await until(lambda: not state.is_away)
    assert (await state.admit(Ticket(ALICE, [LIMIT]))).refused is None


async def test_a_redis_that_was_emptied_takes_nothing_but_the_counts(
    server: RedisServer, state: RedisState
) -> None:
    before = await state.admit(Ticket(ALICE, [LIMIT]))
    server.flush()
    after = await state.admit(Ticket(ALICE, [LIMIT]))
    assert after.refused is None
    assert after.epoch is not None
    assert after.epoch != before.epoch
    assert not state.is_away


async def test_a_redis_that_takes_no_writes_is_as_good_as_away(server: RedisServer, state: RedisState) -> None:
    await state.admit(Ticket(ALICE))
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", "1")
        assert (await state.admit(Ticket(ALICE, [LIMIT]))).epoch is None
        await asyncio.sleep(0.2)
        assert state.is_away
        client.replicaof("NO", "ONE")
    await until(lambda: not state.is_away)


async def test_places_of_calls_that_ended_while_it_hung_are_free_when_it_is_back(
    server: RedisServer, state: RedisState
) -> None:
    """What was sent before it hung it does when it goes on, though nobody waits for that any more."""
    await state.admit(before := ticket(0))
    server.pause()
    tickets = [ticket(number) for number in range(1, 33)]
    await asyncio.gather(*(state.admit(each) for each in tickets))
    for each in (before, *tickets):
        state.finish(each)
    server.go_on()
    await until(lambda: not state.is_away)
    assert await state.operations(ALICE) == []
    assert not (await state.admit(ticket(99))).is_crowded


def ticket(number: int) -> Ticket:
    return Ticket(ALICE, (), Operation(str(number), "echo", "", 0.0), 64)


async def test_a_redis_that_takes_no_writes_does_not_seem_to_be_back(
    server: RedisServer, state: RedisState, caplog: pytest.LogCaptureFixture
) -> None:
    await state.admit(Ticket("nobody"))
    with redis.Redis.from_url(server.url) as client:
        client.replicaof("127.0.0.1", "1")
        for _ in range(20):
            await state.admit(Ticket(ALICE, [LIMIT]))
            await asyncio.sleep(0.02)
        client.replicaof("NO", "ONE")
    await until(lambda: not state.is_away)
    assert caplog.text.count("Redis fails") == 1


async def test_changes_do_not_each_wait_for_a_redis_that_hangs(
    server: RedisServer, state: RedisState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_state, "LOOK_AGAIN_EVERY", 5)
    server.pause()
    began = time.perf_counter()
    for _ in range(20):
        await asyncio.to_thread(state.change, ALICE)
    assert time.perf_counter() - began < 1
    server.go_on()


HITS = """
import asyncio, sys, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
from sessions_app.limits import Bucket, Limit
from sessions_app.state import Ticket
from sessions_app.state.redis import RedisState

async def main():
    state, bucket = RedisState(sys.argv[1]), Bucket(Limit("calls", 100, 3600), "user:1")
    answers = await asyncio.gather(*(state.admit(Ticket("user:1", [bucket])) for _ in range(50)))
    print(sum(answer.refused is None for answer in answers))
    state._line.drop()

asyncio.run(main())
"""


@pytest.mark.process
def test_eight_processes_with_fifty_hits_each_at_a_limit_of_a_hundred_get_exactly_a_hundred() -> None:
    with own_redis() as url:
        command = [sys.executable, "-c", HITS, url]
        processes = [subprocess.Popen(command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True) for _ in range(8)]
        assert sum(int(process.communicate(timeout=60)[0]) for process in processes) == 100
