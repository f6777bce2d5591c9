"""What was reported as stopped has changed nothing, and what has changed something is reported as done."""

import asyncio
import threading
from typing import Any

import pytest
from django.db import connection, transaction

from sessions_app.models import Preference, User
from sessions_app.pool import identity_pool, tool_pool
from tests.shop import tools as shop
from tests.wire import Wire
from tools_app.exceptions import TimedOut
from tools_app.execution import Job, run_on_pool
from tools_app.models import ToolCall


class Held:
    """A hook that stops a commit in the middle: what was written stands, and the job has not returned."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        self.go_on.wait(5)


def writing(user: User, held: Held) -> Job[str]:
    def work() -> str:
        Preference.objects.put(user.pk, "k", 1)
        transaction.on_commit(held)
        return "written"

    return Job(work, writes=True)


async def test_a_commit_that_was_begun_is_not_given_up(alice: User) -> None:
    held = Held()
    job = writing(alice, held)
    call = asyncio.create_task(run_on_pool(job, 0.05, "alice"))
    await asyncio.to_thread(held.reached.wait, 5)
    assert not job.give_up()
    await asyncio.sleep(0.1)  # past the limit: it must not be reported as stopped
    assert not call.done()
    held.go_on.set()
    assert await call == "written"


async def test_whoever_leaves_during_the_commit_leaves_a_finished_call(alice: User) -> None:
    held = Held()
    job = writing(alice, held)
    call = asyncio.create_task(run_on_pool(job, 5, "alice"))
    await asyncio.to_thread(held.reached.wait, 5)
    call.cancel()
    held.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert job.has_committed


async def test_what_was_given_up_in_the_queue_never_runs(alice: User) -> None:
    shop.gate_open.clear()
    blockers = [asyncio.wrap_future(tool_pool.submit(lambda: shop.gate_open.wait(5))) for _ in range(8)]
    job = writing(alice, Held())
    with pytest.raises(TimedOut):
        await run_on_pool(job, 0.05, "alice")
    shop.gate_open.set()
    await asyncio.gather(*blockers)
    await tool_pool.run(lambda: None)
    assert not await alice.preferences.aexists()


async def test_a_hook_that_fails_does_not_undo_what_was_reported(wire: Wire, alice: User, recorded: Any) -> None:
    answer = await wire.call("hook")
    assert answer.text == "written"
    await recorded()
    assert [call.outcome async for call in ToolCall.objects.all()] == ["ok"]
    assert (await alice.mcp_sessions.aget()).errors == 0


async def test_what_was_not_promised_is_a_crash_and_rolled_back(wire: Wire, alice: User) -> None:
    answer = await wire.call("lie")
    assert answer.result["isError"] is True
    assert "Error id" in answer.text
    assert not await alice.preferences.aexists()


async def test_a_resolver_is_within_the_limit(wire: Wire) -> None:
    assert (await wire.call("unresolved")).text.startswith("Stopped after 0.1 s")


async def test_an_error_that_json_cannot_say_is_still_an_answer(wire: Wire) -> None:
    answer = await wire.call("odd-error")
    assert answer.status == 200
    assert answer.error == {"code": -32603, "message": "Internal server error"}


async def test_a_tool_that_holds_the_lock_keeps_nobody_from_being_identified(wire: Wire, bob: User) -> None:
    """On SQLite there is one lock for all who write; whoever only reads must not queue behind them."""
    await wire.call("echo", {"text": "known by now"})
    held, ready = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE sessions_user SET last_name = last_name")
            ready.set()
            held.wait(10)

    holding = asyncio.wrap_future(tool_pool.submit(hold))
    await asyncio.to_thread(ready.wait, 5)
    try:
        for _ in range(4):  # the record of each is written a quarter second later, and waits
            async with asyncio.timeout(2):
                assert (await wire.call("echo", {"text": "x"})).text == "x"
            await asyncio.sleep(0.3)
        async with asyncio.timeout(2):
            assert await identity_pool.run(lambda: User.objects.filter(pk=bob.pk).exists())
    finally:
        held.set()
        await holding
