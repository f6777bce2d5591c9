"""What the database said within the last second: read once, shared, and soon read again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sessions_app.recent import FEW, LIFETIME, Recent


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("sessions_app.recent.time", clock)
    return clock


class Source:
    """Counts how often it is read. `release` lets a read end; a read that was told to fails."""

    def __init__(self) -> None:
        self.reads = 0
        self.error: Exception | None = None
        self.release = asyncio.Event()
        self.release.set()

    async def __call__(self) -> str:
        self.reads += 1
        number = self.reads
        await self.release.wait()
        if self.error is not None:
            raise self.error
        return f"read {number}"


@pytest.fixture
async def source() -> Source:
    return Source()


async def started(work: Awaitable[str]) -> asyncio.Task[str]:
    """`work`, as far as it goes by itself."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


def constant(value: str) -> Callable[[], Awaitable[str]]:
    async def read() -> str:
        return value

    return read


async def test_nothing_is_remembered_at_first(clock: Clock) -> None:
    recent: Recent[str, str] = Recent()
    assert recent.get("alice") is None


async def test_it_answers_from_memory_for_a_second(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    assert await recent.read("alice", source) == "read 1"
    clock.now += LIFETIME * 0.99
    assert recent.get("alice") == "read 1"
    clock.now += LIFETIME * 0.02
    assert recent.get("alice") is None
    assert await recent.read("alice", source) == "read 2"
    assert recent.get("alice") == "read 2"


async def test_the_second_counts_from_before_the_read(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    reading = await started(recent.read("alice", source))
    clock.now += LIFETIME * 0.9  # the database took its time
    source.release.set()
    assert await reading == "read 1"
    assert recent.get("alice") == "read 1"
    clock.now += LIFETIME * 0.2
    assert recent.get("alice") is None


async def test_keys_are_strangers(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    assert await recent.read("alice", source) == "read 1"
    assert recent.get("bob") is None
    assert await recent.read("bob", source) == "read 2"
    assert recent.get("alice") == "read 1"


async def test_many_who_ask_at_once_are_answered_by_one_read(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    asking = [await started(recent.read("alice", source)) for _ in range(50)]
    source.release.set()
    assert await asyncio.gather(*asking) == ["read 1"] * 50
    assert source.reads == 1


async def test_who_asks_after_a_read_ended_is_not_given_its_task(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    await recent.read("alice", source)
    assert await recent.read("alice", source) == "read 2"


async def test_a_failure_reaches_all_who_wait_and_is_not_kept(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.error = PermissionError("refused")
    source.release.clear()
    asking = [await started(recent.read("alice", source)) for _ in range(3)]
    source.release.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [PermissionError] * 3
    assert source.reads == 1
    assert recent.get("alice") is None
    source.error = None
    assert await recent.read("alice", source) == "read 2"


async def test_a_failure_does_not_drop_what_is_still_fresh(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    await recent.read("alice", source)
    source.error = PermissionError("refused")
    with pytest.raises(PermissionError):
        await recent.read("bob", source)
    assert recent.get("alice") == "read 1"


async def test_one_who_leaves_does_not_fail_the_others(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    first, second, third = [await started(recent.read("alice", source)) for _ in range(3)]
    first.cancel()
    third.cancel()
    source.release.set()
    assert await second == "read 1"
    assert first.cancelled()
    assert third.cancelled()
    assert source.reads == 1


async def test_a_read_that_everybody_left_still_counts(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    reading = await started(recent.read("alice", source))
    reading.cancel()
    source.release.set()
    assert await recent.read("alice", source) == "read 1"
    assert source.reads == 1


async def test_a_failure_that_nobody_waits_for_is_not_news(
    clock: Clock, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    recent: Recent[str, str] = Recent()
    source.error = PermissionError("refused")
    source.release.clear()
    reading = await started(recent.read("alice", source))
    reading.cancel()
    source.release.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert recent.get("alice") is None
    assert not caplog.records


async def test_what_is_forgotten_is_read_again(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    await recent.read("alice", source)
    recent.forget()
    assert recent.get("alice") is None
    assert await recent.read("alice", source) == "read 2"


async def test_it_never_holds_more_than_it_may(clock: Clock) -> None:
    recent: Recent[str, str] = Recent(most=10)
    for number in range(100):
        await recent.read(str(number), constant("fresh"))
    remembered = [number for number in range(100) if recent.get(str(number))]
    assert remembered == list(range(90, 100))


async def test_room_is_made_by_dropping_the_stale_first(clock: Clock) -> None:
    recent: Recent[str, str] = Recent(most=10)
    for number in range(5):
        await recent.read(f"old {number}", constant("stale"))
    clock.now += LIFETIME / 2
    for number in range(5):
        await recent.read(f"new {number}", constant("fresh"))
    clock.now += LIFETIME * 0.6
    await recent.read("one more", constant("fresh"))
    assert [recent.get(f"old {number}") for number in range(5)] == [None] * 5
    assert [recent.get(f"new {number}") for number in range(5)] == ["fresh"] * 5
    assert recent.get("one more") == "fresh"


async def test_what_is_past_does_not_fill_the_memory(clock: Clock) -> None:
    recent: Recent[str, str] = Recent()
    for number in range(10_000):
        await recent.read(str(number), constant("large"))
        clock.now += LIFETIME / 100
        assert len(recent._entries) <= 2 * FEW + 100


async def test_what_is_being_read_when_all_is_forgotten_may_be_from_before(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    early = await started(recent.read("alice", source))
    recent.forget()
    late = await started(recent.read("alice", source))
    later = await started(recent.read("alice", source))
    source.release.set()
    assert [await reading for reading in (early, late, later)] == ["read 1", "read 2", "read 2"]
    assert recent.get("alice") == "read 2"
    assert source.reads == 2


async def test_what_was_read_before_all_was_forgotten_does_not_replace_what_was_read_since(
    clock: Clock, source: Source
) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    early = await started(recent.read("alice", source))
    recent.forget()
    assert await recent.read("alice", constant("fresh")) == "fresh"
    source.release.set()
    assert await early == "read 1"
    assert recent.get("alice") == "fresh"


async def test_nothing_is_kept_of_a_read_that_was_forgotten(clock: Clock, source: Source) -> None:
    recent: Recent[str, str] = Recent()
    source.release.clear()
    reading = await started(recent.read("alice", source))
    recent.forget()
    source.release.set()
    assert await reading == "read 1"
    assert recent.get("alice") is None
    assert recent._reading == {}
