"""The seed's session-analytics: what it counts, what runs, and that all who count agree."""

import asyncio
import json
import threading
from collections import Counter
from typing import Any

import pytest
from django.db import OperationalError

from sessions_app.models import Session, User
from sessions_app.pool import background_pool, identity_pool
from sessions_app.session_cache import SessionCache
from tests.clients import Client
from tests.conftest import wire_for
from tests.wire import Wire, until
from tools_app.models import ToolCall
from tools_app.recorder import recorder

from .conftest import running_of

NAME = "session-analytics"


async def analytics(client: Client) -> dict[str, Any]:
    result = (await client.call(NAME)).result
    assert not result["isError"], result
    structured: dict[str, Any] = result["structuredContent"]
    return structured


async def test_a_new_session_has_done_nothing(client: Client) -> None:
    answer = await client.call(NAME)
    found = answer.result["structuredContent"]
    assert found == {
        "toolCallCount": 0, "totalExecutionTime": 0.0, "lastToolCall": None, "errorCount": 0,
        "activeOperations": [], "cacheEntries": 0, "callsPerTool": [], "callsPerHour": [],
    }  # fmt: skip
    assert answer.text.startswith("## 📈 Session Analytics\n\n**Tool Calls:** 0\n**Total Execution Time:** 0ms\n")
    assert (
        "**Last Tool Call:** None\n**Error Count:** 0\n**Active Operations:** 0\n**Cache Entries:** 0\n"
        in answer.text
    )
    assert "### Active Operations\n*No active operations*" in answer.text


async def test_it_counts_what_was_called_and_what_failed_of_it(client: Client) -> None:
    await client.call("echo", {"text": "a"})
    await client.call("echo", {"text": "b"})
    await client.call("crash")
    await client.call("no-such-tool")
    found = await analytics(client)
    assert (found["toolCallCount"], found["errorCount"]) == (4, 1)
    assert found["totalExecutionTime"] > 0
    assert found["lastToolCall"] is not None
    by_tool = {row["tool"]: (row["calls"], row["errors"]) for row in found["callsPerTool"]}
    assert by_tool == {"echo": (2, 0), "crash": (1, 1), "no-such-tool": (1, 0)}
    assert sum(row["calls"] for row in found["callsPerHour"]) == 4


async def test_it_shows_what_runs_beside_it(wire: Wire, alice: User) -> None:
    slow = wire.open(wire.request("tools/call", {"name": "wait", "arguments": {"seconds": 5}}))
    await until(running_of(alice))
    [active] = (await analytics(wire))["activeOperations"]
    assert active["toolName"] == "wait"
    assert 0 <= active["runningMs"] < 5000
    assert len(active["parametersDigest"]) == 32
    assert "- **wait** (" in (await wire.call(NAME)).text
    slow.leave()
    await slow.wait()
    assert (await analytics(wire))["activeOperations"] == []


async def test_another_session_s_calls_are_not_its_own(wire: Wire, alice: User, recorded: Any) -> None:
    """Nor those of another client with the same key."""
    other_key, other_client = await wire_for(alice), Wire(wire.key, client={"name": "other", "version": "1"})
    for other in (other_key, other_client):
        await other.call("echo", {"text": "not mine"})
        slow = other.open(other.request("tools/call", {"name": "wait", "arguments": {"seconds": 5}}))
        await until(running_of(alice))
        found = await analytics(wire)
        assert found["activeOperations"] == []
        assert "echo" not in {row["tool"] for row in found["callsPerTool"]}
        slow.leave()
        await slow.wait()


async def test_names_that_a_client_makes_up_do_not_make_it_grow(wire: Wire, recorded: Any) -> None:
    for number in range(130):
        await wire.call(f"made-up-{number:03}")
    await wire.call("echo", {"text": "x"})
    await wire.call("echo", {"text": "y"})
    found = await analytics(wire)
    rows = found["callsPerTool"]
    assert (len(rows), rows[0]["tool"], rows[-1]["tool"]) == (101, "echo", "(others)")
    assert sum(row["calls"] for row in rows) == found["toolCallCount"] == 132


async def test_who_asks_loses_nobody_s_record(wire: Wire, recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the database is away just then; and though he leaves."""
    await wire.call("echo", {"text": "x"})
    with monkeypatch.context() as patch:
        patch.setattr("tools_app.recorder.insert", away)
        await wire.call(NAME)
    busy = threading.Event()
    background_pool.submit(lambda: busy.wait(5))
    left = wire.open(wire.request("tools/call", {"name": NAME, "arguments": {}}))
    await asyncio.sleep(0.05)
    left.leave()
    await left.wait()
    busy.set()
    await until(lambda: not background_pool._jobs and not recorder._waiting)
    assert await ToolCall.objects.filter(name="echo").acount() == 1


def away(*args: Any) -> None:
    raise OperationalError("away")


async def test_arguments_are_nowhere_in_it(client: Client) -> None:
    await client.call("echo", {"text": "canary-4711"})
    assert "canary-4711" not in json.dumps(await analytics(client))


async def test_it_tells_how_much_is_cached_and_that_goes_with_the_session(wire: Wire) -> None:
    await wire.call("cached-data-fetch", {"dataType": "logs"})
    assert (await analytics(wire))["cacheEntries"] == 1
    session = await Session.objects.aget()
    await identity_pool.run(lambda: session.end("by a test"))
    assert await identity_pool.run(lambda: len(SessionCache(session.public_id))) == 0
    assert (await analytics(wire))["cacheEntries"] == 0


async def test_after_a_thousand_calls_at_once_all_who_count_agree(wire: Wire, recorded: Any) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("echo", {"text": "x"}),
        ("crash", {}),
        ("echo", {"no": 1}),
        ("hidden", {}),
        ("order", {"number": 1}),
    ]

    async def some(of: int) -> None:
        for number in range(of, 1000, 20):
            await wire.call(*calls[number % len(calls)])

    await asyncio.gather(*(some(of) for of in range(20)))
    found = await analytics(wire)
    await recorded()
    session = await Session.objects.aget()
    rows = [row async for row in ToolCall.objects.exclude(name=NAME)]
    assert len(rows) == found["toolCallCount"] == 1000
    assert session.calls == 1001
    assert found["errorCount"] == session.errors == sum(row.outcome in ToolCall.FAILURES for row in rows)
    assert {row["tool"]: row["calls"] for row in found["callsPerTool"]} == Counter(row.name for row in rows)
    assert found["totalExecutionTime"] == pytest.approx(sum(row.duration_ms for row in rows), rel=1e-6)
