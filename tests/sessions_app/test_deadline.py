"""A cheap `asyncio.timeout`, with the same meaning."""

import asyncio

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
