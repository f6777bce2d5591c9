"""Calling tools, outside in: what a client sends and what comes back."""

import asyncio
from typing import Any

import pytest

from sessions_app.models import Preference, User
from tests.conftest import wire_for
from tests.shop import tools as shop
from tests.wire import Wire
from tools_app.models import ToolCall


async def test_it_answers_a_call_with_one_json_document(wire: Wire) -> None:
    answer = await wire.call("echo", {"text": "hello"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.result["structuredContent"] == {"result": "hello"}
    assert answer.text == "hello"
    assert answer.result["resultType"] == "complete"


async def test_a_model_is_structured_content_with_markdown_beside_it(wire: Wire) -> None:
    answer = await wire.call("order", {"number": 7})
    assert answer.result["structuredContent"] == {"number": 7, "item": "tea"}
    assert answer.text == "**Order 7**: tea"


async def test_a_hidden_tool_answers_exactly_like_an_unknown_one(wire: Wire) -> None:
    hidden = await wire.call("restock")
    unknown = await wire.call("resto")
    assert hidden.status == unknown.status == 400
    assert hidden.error["code"] == -32602
    assert hidden.body.replace(b"restock", b"resto") == unknown.body


async def test_hidden_and_unknown_look_alike_to_header_checks_too(wire: Wire) -> None:
    mismatch = {"headers": {"mcp-param-region": "elsewhere"}}
    hidden = await wire.call("restock", {"region": "here"}, **mismatch)
    unknown = await wire.call("resto", {"region": "here"}, **mismatch)
    assert hidden.body.replace(b"restock", b"resto") == unknown.body


@pytest.mark.parametrize("value", [None, "null", "[1,2]", [1, 2], {"a": None}, 0, False, "", 1.5, "é\u2028"])
async def test_any_json_value_arrives_as_it_was_sent(wire: Wire, value: Any) -> None:
    answer = await wire.call("any-value", {"value": value})
    assert answer.result["structuredContent"] == {"absent": False, "value": value}


async def test_absent_is_not_null(wire: Wire) -> None:
    assert (await wire.call("any-value")).result["structuredContent"] == {"absent": True, "value": None}


@pytest.mark.parametrize(
    "arguments",
    [
        {"number": "5", "tags": []},
        {"number": 5, "tags": '["a"]'},
        {"number": 5, "tags": [], "flag": "true"},
        {"number": 5, "tags": [], "flag": 1},
        {"number": 5, "tags": [], "unknown": 1},
        {"number": True, "tags": []},
        {"tags": []},
    ],
)
async def test_arguments_are_taken_strictly(wire: Wire, arguments: dict[str, Any]) -> None:
    answer = await wire.call("typed", arguments)
    assert answer.result["isError"] is True
    assert answer.text.startswith("Invalid arguments for typed: ")


async def test_a_refused_value_is_not_repeated(wire: Wire) -> None:
    answer = await wire.call("typed", {"number": "cgk_secret", "tags": []})
    assert b"cgk_secret" not in answer.body


async def test_the_schema_says_what_is_refused(wire: Wire) -> None:
    tools = (await wire.ask("tools/list")).result["tools"]
    schema = next(tool["inputSchema"] for tool in tools if tool["name"] == "typed")
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["number", "tags"]


async def test_injected_parameters_are_not_arguments(wire: Wire) -> None:
    assert (await wire.call("refuse", {"principal": {"user_id": 1}})).text.startswith("Invalid arguments")


async def test_crash_text_never_leaves_the_server(
    wire: Wire, caplog: pytest.LogCaptureFixture, recorded: Any
) -> None:
    answer = await wire.call("crash")
    assert answer.result["isError"] is True
    assert shop.SECRET.encode() not in answer.body
    error_id = answer.text.rpartition(" ")[2]
    assert error_id in caplog.text
    assert shop.SECRET in caplog.text
    await recorded()
    row = await ToolCall.objects.aget(name="crash")
    assert (row.outcome, row.error_id) == ("crashed", error_id)


async def test_what_a_failed_tool_wrote_is_rolled_back(wire: Wire, alice: User, recorded: Any) -> None:
    answer = await wire.call("refuse")
    assert (answer.result["isError"], answer.text) == (True, "Out of tea")
    assert not await Preference.objects.filter(user=alice).aexists()
    await recorded()
    assert (await ToolCall.objects.aget(name="refuse")).outcome == "error"


async def test_what_a_timed_out_tool_wrote_is_rolled_back(wire: Wire, alice: User, recorded: Any) -> None:
    shop.slow_write_left.clear()
    answer = await wire.call("slow-write", {"seconds": 0.6})
    assert answer.text == "Stopped after 0.2 s; nothing was changed."
    await asyncio.to_thread(shop.slow_write_left.wait, 5)
    await wire.call("slow-write", {"seconds": 0.0})
    assert (await Preference.objects.aget(user=alice)).value == 0.0
    await recorded()
    assert [call.outcome async for call in ToolCall.objects.filter(name="slow-write").order_by("started_at")] == [
        "timeout",
        "ok",
    ]


async def test_an_async_tool_is_stopped_in_time(wire: Wire) -> None:
    assert (await wire.call("brief")).text == "Stopped after 0.1 s."


async def test_slow_tools_do_not_keep_others_from_being_identified(wire: Wire, bob: User) -> None:
    shop.gate_open.clear()
    blocked = [wire.open(wire.request("tools/call", {"name": "block", "arguments": {}})) for _ in range(12)]
    try:
        assert (await (await wire_for(bob)).call("echo", {"text": "still here"})).text == "still here"
    finally:
        shop.gate_open.set()
    assert {(await exchange.wait()).text for exchange in blocked} == {"released"}


async def test_the_record_has_every_call_and_the_session_its_sum(wire: Wire, alice: User, recorded: Any) -> None:
    await wire.call("echo", {"text": "1"})
    await wire.call("manage-preferences", {"action": "set", "key": "a", "value": 1})
    await wire.call("restock")
    await recorded()
    outcomes = {call.name: call.outcome async for call in ToolCall.objects.all()}
    assert outcomes == {"echo": "ok", "manage-preferences": "ok", "restock": "refused"}
    session = await alice.mcp_sessions.aget()
    assert (session.calls, session.errors) == (3, 0)


async def test_a_record_that_cannot_be_written_undoes_the_call(
    wire: Wire, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(entries: Any) -> None:
        raise RuntimeError("no record")

    monkeypatch.setattr("tools_app.recorder.insert", broken)
    answer = await wire.call("manage-preferences", {"action": "set", "key": "a", "value": 1})
    monkeypatch.undo()
    assert answer.result["isError"] is True
    assert not await Preference.objects.filter(user=alice).aexists()
