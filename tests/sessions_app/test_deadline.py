"""A cheap `asyncio.timeout`, with the same meaning."""

import asyncio
import time
from contextlib import ExitStack, suppress

import pytest

from sessions_app.deadline import Deadline, watch


async def test_it_interrupts_what_takes_too_long() -> None:
    with pytest.raises(TimeoutError):
        async with Deadline(0.01) as limit:
            await asyncio.Event().wait()
    assert limit.has_passed
    assert await asyncio.sleep(0, "the task itself goes on") == "the task itself goes on"


async def test_it_leaves_alone_what_is_in_time() -> None:
    async with Deadline(5) as limit:
        await asyncio.sleep(0)
    assert not limit.has_passed
    assert limit not in watch._watched


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        async with Deadline(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_inner_of_two_is_told_from_the_outer() -> None:
    outer, inner = Deadline(0.01), Deadline(5)

    async def nested() -> None:
        async with outer, inner:
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await nested()
    assert (outer.has_passed, inner.has_passed) == (True, False)


async def test_another_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Deadline(5):
            raise ZeroDivisionError


async def test_time_stands_still_while_it_is_paused() -> None:
    async with Deadline(1) as limit:
        with limit.paused():
            limit.look(time.monotonic() + 100)
            assert not limit.has_passed
        limit.look(time.monotonic() + 0.9)
        assert not limit.has_passed
    async with Deadline(0.05) as limit:
        with limit.paused():
            await asyncio.sleep(0.1)
        limit.look(time.monotonic())
        assert not limit.has_passed  # what was left is left


async def test_time_goes_on_after_a_pause_whatever_happened_in_it() -> None:
    async def pause_and_wait() -> None:
        async with Deadline(0.01) as limit:
            with suppress(ZeroDivisionError), limit.paused():
                await asyncio.sleep(0.03)
                raise ZeroDivisionError
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await pause_and_wait()


async def test_pauses_may_overlap() -> None:
    limit = Deadline(0.05)

    async def two_pauses() -> None:
        async with limit:
            with ExitStack() as first, ExitStack() as second:
                first.enter_context(limit.paused())
                second.enter_context(limit.paused())
                first.close()
                await asyncio.sleep(0.1)
                limit.look(time.monotonic())
                assert not limit.has_passed  # the second goes on
            limit.look(time.monotonic() + 0.03)
            assert not limit.has_passed  # all of it counts as paused
            limit.look(time.monotonic() + 0.06)  # and counts once
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await two_pauses()


async def test_a_pause_stops_its_own_limit_alone() -> None:
    outer, inner = Deadline(0.01), Deadline(0.01)

    async def paused() -> None:
        async with outer, inner:
            with inner.paused():
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await paused()
    assert (outer.has_passed, inner.has_passed) == (True, False)
