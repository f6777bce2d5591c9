"""One caller never has all threads: who calls slow tools in numbers waits for himself."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from sessions_app.exceptions import Crowded
from sessions_app.models import User
from sessions_app.pool import tool_pool
from tests.conftest import key_for
from tests.shop import tools as shop
from tests.wire import Wire
from tools_app import shares as module
from tools_app.models import ToolCall
from tools_app.shares import Shares, shares

MOST = settings.TOOL_THREADS_OF_ONE


@pytest.fixture
def his(bob: User) -> Wire:
    return Wire(key_for(bob))


@pytest.fixture
def blocked() -> Iterator[None]:
    """`block` holds its thread."""
    shop.gate_open.clear()
    yield
    shop.gate_open.set()


def test_one_caller_has_fewer_threads_than_there_are() -> None:
    assert MOST < settings.TOOL_THREADS


async def test_slow_calls_of_one_leave_threads_to_others(
    wire: Wire, his: Wire, blocked: None, monkeypatch: pytest.MonkeyPatch, recorded: Any
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    slow = [asyncio.create_task(wire.call("block")) for _ in range(MOST + 4)]
    done, held = await asyncio.wait(slow, timeout=1, return_when=asyncio.ALL_COMPLETED)
    assert (len(done), len(held)) == (4, MOST)
    for answer in (call.result() for call in done):
        assert (answer.status, answer.error["code"]) == (429, -32029)
        assert answer.error["data"] == {"limit": "at-once", "retryAfterMs": 1000}
        assert answer.headers["retry-after"] == "1"
    assert (await asyncio.wait_for(his.call("order", {"number": 1}), 2)).status == 200
    shop.gate_open.set()
    assert {(await call).text for call in held} == {"released"}
    assert not shares._held
    await recorded()
    assert [call.outcome async for call in ToolCall.objects.filter(name="block")].count("refused") == 4


async def test_short_calls_in_numbers_take_turns(wire: Wire) -> None:
    answers = await asyncio.gather(*(wire.call("order", {"number": number}) for number in range(4 * MOST)))
    assert {answer.status for answer in answers} == {200}


async def test_a_place_is_kept_as_long_as_its_thread_is(
    wire: Wire, blocked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nobody waits any more for what runs there."""
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    slow = [asyncio.create_task(wire.call("block")) for _ in range(MOST)]
    await until_held(MOST)
    for call in slow:
        call.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    assert (await wire.call("order", {"number": 1})).status == 429
    shop.gate_open.set()
    await tool_pool.run(lambda: None)
    await until_held(0)
    assert (await wire.call("order", {"number": 1})).status == 200


async def test_who_waits_gets_the_place_that_is_given_back() -> None:
    one = Shares(1)
    await one.take("alice")
    waiting = [asyncio.create_task(one.take("alice")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    one.give_back("alice")
    await waiting[1]
    assert not waiting[2].done()
    await one.take("bob")
    one.give_back("alice")
    await waiting[2]
    one.give_back("alice")
    assert (dict(one._held), one._waiting) == ({"bob": 1}, {})


async def test_who_leaves_at_the_moment_he_gets_a_place_gives_it_back() -> None:
    one = Shares(1)
    await one.take("alice")
    waiting = asyncio.create_task(one.take("alice"))
    await asyncio.sleep(0)
    one.give_back("alice")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not one._held


async def test_who_waits_too_long_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    one = Shares(1)
    await one.take("alice")
    with pytest.raises(Crowded):
        await one.take("alice")
    assert not one._waiting["alice"]
    one.give_back("alice")
    assert not one._held
    assert not one._waiting


async def until_held(count: int) -> None:
    async with asyncio.timeout(5):
        while shares._held.total() != count:  # noqa: ASYNC110 (threads give back)
            await asyncio.sleep(0.01)
