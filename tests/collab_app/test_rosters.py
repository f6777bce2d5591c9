"""Who is in which room, asked by many at once."""

import asyncio
import contextlib
import gc
import threading
from typing import Any

import pytest
from django.db import OperationalError

from collab_app import rosters as module
from collab_app.rosters import Rosters


@pytest.mark.usefixtures("db_for_threads")  # the pool's thread may have a connection, which it looks after
async def test_a_failure_that_nobody_waits_for_is_no_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unseen: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unseen.append(context["message"]))
    asked, have_left = threading.Event(), threading.Event()

    def fail(public_ids: set[str]) -> Any:
        asked.set()
        have_left.wait(5)
        raise OperationalError("The database does not answer.")

    monkeypatch.setattr(module, "rosters_of", fail)
    rosters = Rosters()
    waiter = asyncio.create_task(rosters.is_member("a-room", 1))
    await asyncio.to_thread(asked.wait, 5)
    reading = asyncio.all_tasks() - {waiter, asyncio.current_task()}
    waiter.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiter
    have_left.set()
    await asyncio.wait(reading)
    del reading
    gc.collect()
    await asyncio.sleep(0)
    assert unseen == []
