"""A line of the log for each call: what the record says of it, once, and no argument."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from project.logs import AsJson
from sessions_app.models import Session
from tests.clients import Client
from tests.shop import tools as shop
from tests.wire import Wire, until
from tests.written import Written, written
from tools_app import recorder as module
from tools_app.models import ToolCall

CANARY = "canary-in-the-arguments"


@pytest.fixture
def log() -> Iterator[Written]:
    with written("json") as log:
        yield log


async def lines_of(log: Written, recorded: Any) -> list[dict[str, Any]]:
    await recorded()
    return log.by("concierge.calls")


async def test_a_call_is_a_line_with_what_its_record_says(client: Client, log: Written, recorded: Any) -> None:
    await client.call("echo", {"text": CANARY})
    [line] = await lines_of(log, recorded)
    row = await ToolCall.objects.aget()
    assert row.session_id is not None
    session = await Session.objects.aget(pk=row.session_id)
    assert line["message"] == "tool echo: ok"
    assert (line["kind"], line["name"], line["outcome"]) == ("tool", "echo", "ok")
    assert (line["user"], line["credential"], line["client"]) == ("alice", row.credential, "pytest")
    assert (line["ip"], line["size"], line["session"]) == (row.ip, row.arguments_size, session.public_id)
    assert line["duration_ms"] == pytest.approx(row.duration_ms, abs=0.001)
    assert line["request_id"]
    assert "error_id" not in line
    assert CANARY not in log.text
    assert client.key is not None
    assert client.key not in log.text


async def test_a_call_that_writes_is_one_line_too(client: Client, log: Written, recorded: Any) -> None:
    await client.call("manage-preferences", {"action": "set", "key": "tea", "value": CANARY})
    [line] = await lines_of(log, recorded)
    assert (line["name"], line["outcome"]) == ("manage-preferences", "ok")
    [said] = log.by("tools_app.context")  # on a pool's thread
    assert said["request_id"] == line["request_id"]
    assert CANARY not in log.text


async def test_a_crash_and_its_call_share_the_request(client: Client, log: Written, recorded: Any) -> None:
    await client.call("crash", {})
    [line] = await lines_of(log, recorded)
    [crash] = log.by("tools_app.gate")
    assert line["outcome"] == "crashed"
    assert line["error_id"] in crash["message"]
    assert crash["request_id"] == line["request_id"]
    assert shop.SECRET in crash["exception"]  # the log's business; and nobody else's


async def test_a_name_that_is_made_up_is_short_and_harmless(wire: Wire, log: Written, recorded: Any) -> None:
    await wire.call("x\r\n\x1b[31m" + "y" * 5000, headers={"mcp-name": None})
    lines = await lines_of(log, recorded)
    assert all(len(line["name"]) < 200 and line["name"].isprintable() for line in lines)


async def test_each_call_has_a_line_in_text_too(wire: Wire, recorded: Any) -> None:
    with written("text") as log:
        await wire.call("echo", {"text": CANARY})
        await wire.call("nothing-of-that-name", {"text": CANARY})
        await recorded()
    first, second = [line for line in log.lines if " concierge.calls " in line]
    assert "]: tool echo: ok duration_ms=" in first
    assert " user=alice credential=api-key:" in first
    assert "]: tool nothing-of-that-name: refused " in second
    assert CANARY not in log.text


async def test_a_batch_is_one_record(wire: Wire, caplog: pytest.LogCaptureFixture, recorded: Any) -> None:
    caplog.set_level(logging.INFO, "concierge.calls")
    for _ in range(3):
        await wire.call("echo", {"text": "a"})
    await recorded()
    [record] = [record for record in caplog.records if record.name == "concierge.calls"]
    assert AsJson().format(record).count("\n") == 2


async def test_a_call_that_the_database_does_not_take_is_a_line_all_the_same_and_once(
    wire: Wire, log: Written, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: Any) -> None:
        raise OperationalError("away")

    entries = list[Any]()
    with monkeypatch.context() as patch:
        patch.setattr(module, "insert", away)
        patch.setattr(module.recorder, "_keep", entries.extend)
        await wire.call("echo", {"text": "a"})
        assert len(await lines_of(log, recorded)) == 1
        await until(lambda: entries)
    assert await ToolCall.objects.acount() == 0
    module.recorder._keep(entries)
    await recorded()
    assert await ToolCall.objects.acount() == 1
    assert len(log.by("concierge.calls")) == 1


async def test_at_warning_nothing_is_made(wire: Wire, recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools_app.call_log.line_of", lambda entry: pytest.fail("it was made"))
    with written("json", logging.WARNING) as log:
        await wire.call("echo", {"text": "a"})
        await recorded()
    assert log.text == ""
