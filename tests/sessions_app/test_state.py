"""What one round trip to the shared state says: alike in memory and in Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from sessions_app.limits import MOST_AT_ONCE, Bucket, Limit
from sessions_app.state import Operation, State, Ticket
from sessions_app.state.base import LEASE
from sessions_app.state.memory import FEW, MemoryState
from sessions_app.state.redis import RedisState
from tests.services import own_redis

ALICE, BOB = "user:1", "user:2"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with own_redis() as url:
        yield url


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def state(request: pytest.FixtureRequest) -> AsyncIterator[State]:
    if request.param == "memory":
        yield MemoryState()
        return
    state = RedisState(request.getfixturevalue("redis_url"))
    state._client.delete(*(key for key in state._client.scan_iter("concierge:*")), "nothing")
    yield state
    state._line.drop()
    await asyncio.sleep(0)
    state._client.close()


def bucket(most: int, seconds: int = 60, owner: str = ALICE, name: str = "calls") -> Bucket:
    return Bucket(Limit(name, most, seconds), owner)


def running(number: int, owner: str = ALICE, most: int = MOST_AT_ONCE) -> Ticket:
    return Ticket(owner, (), Operation(str(number), "a tool with spaces", "session", 1.5), most)


async def admitted(state: State, *buckets: Bucket, times: int = 1) -> int:
    answers = [await state.admit(Ticket(ALICE, buckets)) for _ in range(times)]
    return sum(answer.refused is None for answer in answers)


# --- Limits ---------------------------------------------------------------------------------------


async def test_as_many_are_let_in_as_the_limit_says(state: State) -> None:
    assert await admitted(state, bucket(5), times=8) == 5


async def test_a_refusal_names_the_limit_and_when_to_come_back(state: State) -> None:
    first, second = bucket(9, 60), bucket(1, 60, name="second")
    assert await admitted(state, first, second) == 1
    refusal = await state.admit(Ticket(ALICE, (first, second)))
    assert refusal.refused == second
    assert 59 < refusal.retry_after <= 60


async def test_who_is_refused_by_one_limit_is_counted_by_none(state: State) -> None:
    generous, strict = bucket(9), bucket(1, name="strict")
    assert await admitted(state, generous, strict, times=5) == 1
    (usage,) = await state.usage([generous])
    assert usage.remaining == 8


async def test_each_owner_and_each_limit_is_counted_apart(state: State) -> None:
    assert await admitted(state, bucket(1)) == 1
    assert await admitted(state, bucket(1, owner=BOB)) == 1
    assert await admitted(state, bucket(1, name="other")) == 1
    assert await admitted(state, bucket(1)) == 0


async def test_what_remains_can_be_asked_without_being_counted(state: State) -> None:
    limit = bucket(3)
    for left in (3, 2, 1, 0, 0):
        (usage,) = await state.usage([limit])
        assert (usage.bucket, usage.remaining) == (limit, left)
        assert state.usage_now([limit])[0].remaining == left
        assert (usage.resets_after > 0) == (left < 3)
        await admitted(state, limit)


async def test_it_can_be_asked_from_a_thread(state: State) -> None:
    def take() -> list[bool]:
        return [state.take([bucket(2)]).refused is None for _ in range(3)]

    assert await asyncio.to_thread(take) == [True, True, False]
    assert await admitted(state, bucket(2)) == 0


async def test_what_is_given_back_does_not_count(state: State) -> None:
    strict, other = bucket(2), bucket(5, name="other")

    def take_and_give_back() -> None:
        for _ in range(5):
            assert state.take([strict, other]).refused is None
            state.give_back([strict, other])
        state.give_back([strict])  # of nothing, nothing

    await asyncio.to_thread(take_and_give_back)
    assert [usage.remaining for usage in await state.usage([strict, other])] == [2, 5]


async def test_a_limit_that_was_lowered_counts_what_was_let_in_before(state: State) -> None:
    assert await admitted(state, bucket(5), times=5) == 5
    assert await admitted(state, bucket(3)) == 0
    assert await admitted(state, bucket(6)) == 1


async def test_never_more_than_the_limit_in_any_window(state: State) -> None:
    """In real time, by windows of a second: every moment of the run is the end of one."""
    limit, moments = bucket(20, seconds=1), list[float]()
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        before = time.monotonic()
        if (await state.admit(Ticket(ALICE, [limit]))).refused is None:
            moments.append(before)
        await asyncio.sleep(0.003)
    assert len(moments) >= 40
    for first, last in zip(moments, moments[20:], strict=False):
        assert last - first > 1 - 0.02  # the time between asking and being counted


async def test_by_a_frozen_clock_the_window_slides() -> None:
    now = [0.0]
    state = MemoryState(lambda: now[0])
    limit = bucket(100, seconds=3600)
    for number in range(200):
        now[0] = number * 10.0
        assert await admitted(state, limit) == (number < 100)
    now[0] = 3599.99
    assert await admitted(state, limit) == 0
    for number in range(99):
        now[0] = 3600 + number * 10.0
        assert await admitted(state, limit, times=3) == 1
        refusal = await state.admit(Ticket(ALICE, [limit]))
        assert refusal.retry_after == pytest.approx(10)


async def test_what_does_not_count_any_more_is_forgotten() -> None:
    now = [0.0]
    state = MemoryState(lambda: now[0])
    for number in range(20 * FEW):
        now[0] += 0.01
        await admitted(state, bucket(1, seconds=1, owner=f"guest:{number}"))
        assert len(state._windows) <= 2 * FEW


async def test_tidying_drops_no_window_that_is_being_counted_in() -> None:
    now = [0.0]
    state = MemoryState(lambda: now[0])
    for number in range(FEW - 1):
        await admitted(state, bucket(1, seconds=1, owner=f"guest:{number}"))
    now[0] = 10.0
    first, second = bucket(1), bucket(1, name="second")
    assert await admitted(state, first, second, times=3) == 1


# --- What runs ------------------------------------------------------------------------------------


async def test_only_so_many_run_at_once(state: State) -> None:
    tickets = [running(number, most=3) for number in range(5)]
    answers = [await state.admit(ticket) for ticket in tickets]
    assert [answer.is_crowded for answer in answers] == [False, False, False, True, True]
    assert answers[-1].retry_after == 1
    assert not (await state.admit(running(9, owner=BOB, most=3))).is_crowded
    state.finish(tickets[0])
    assert not (await state.admit(tickets[3])).is_crowded


async def test_the_crowd_is_refused_before_it_is_counted(state: State) -> None:
    limit = bucket(5)
    await state.admit(running(0, most=1))
    crowded = Ticket(ALICE, [limit], Operation("1", "echo", "", 0.0), 1)
    assert (await state.admit(crowded)).is_crowded
    assert (await state.usage([limit]))[0].remaining == 5


async def test_what_runs_can_be_seen(state: State) -> None:
    ticket = running(1)
    await state.admit(ticket)
    assert await state.operations(ALICE) == [ticket.operation]
    assert await state.operations(BOB) == []
    state.renew([ticket, running(2)])  # the other one has ended: it does not come back
    assert await state.operations(ALICE) == [ticket.operation]
    state.finish(ticket)
    state.finish(ticket)
    assert await state.operations(ALICE) == []


async def test_what_nobody_renews_frees_its_place() -> None:
    now = [0.0]
    state = MemoryState(lambda: now[0])
    for number in range(3):
        await state.admit(running(number, most=3))
    now[0] = LEASE - 1
    state.renew([running(0)])
    assert (await state.admit(running(3, most=3))).is_crowded
    now[0] = LEASE
    assert [operation.id for operation in await state.operations(ALICE)] == ["0"]
    assert not (await state.admit(running(3, most=3))).is_crowded


# --- Epochs ---------------------------------------------------------------------------------------


async def epoch_of(state: State, owner: str) -> tuple[str, str]:
    epoch = (await state.admit(Ticket(owner))).epoch
    assert epoch is not None
    return epoch


async def test_an_epoch_stays_until_authority_changes(state: State) -> None:
    before = {owner: await epoch_of(state, owner) for owner in (ALICE, BOB)}
    assert {owner: await epoch_of(state, owner) for owner in before} == before
    state.change(ALICE)
    after = {owner: await epoch_of(state, owner) for owner in before}
    assert (after[ALICE] != before[ALICE], after[BOB]) == (True, before[BOB])


async def test_what_concerns_everybody_changes_everybody_s(state: State) -> None:
    state.change(ALICE)
    before = {owner: await epoch_of(state, owner) for owner in (ALICE, BOB, "guest:192.0.2.1/32")}
    state.change()
    after = {owner: await epoch_of(state, owner) for owner in before}
    assert not {epoch[0] for epoch in before.values()} & {epoch[0] for epoch in after.values()}


async def test_an_epoch_never_comes_again(state: State) -> None:
    seen = set()
    for _ in range(100):
        state.change(ALICE)
        seen.add(await epoch_of(state, ALICE))
        state.change()
        seen.add(await epoch_of(state, ALICE))
    assert len(seen) == 200


async def test_a_refusal_tells_the_epoch_too(state: State) -> None:
    await admitted(state, bucket(1))
    refusal = await state.admit(Ticket(ALICE, [bucket(1)]))
    assert refusal.refused is not None
    assert refusal.epoch == await epoch_of(state, ALICE)
