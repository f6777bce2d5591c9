"""What a tool logs reaches the server's log, and a client that asked for it."""

from typing import Any

import pytest
from mcp_types import LOG_LEVEL_META_KEY

from sessions_app.models import User
from tests.clients import Client
from tests.wire import Durable, Wire


async def set_and_hear(client: Client, level: str | None) -> list[dict[str, Any]]:
    """The log messages that come with a set preference, for a client that asked for `level` and above."""
    call = {"name": "manage-preferences", "arguments": {"action": "set", "key": "tea", "value": "green"}}
    meta = {} if level is None else {LOG_LEVEL_META_KEY: level}
    if isinstance(client, Wire):
        answer = await client.post(client.request("tools/call", call, **meta))
        messages = answer.messages
    elif isinstance(client, Durable):
        if level is not None:
            await client.ask("logging/setLevel", {"level": level})
        messages = (await client.call(call["name"], call["arguments"])).messages  # type: ignore[arg-type]
    elif client.is_stateless:
        request = client.request("tools/call", call, **meta)
        client.line.send(request)
        await client.line.reply_to(request["id"])
        messages = client.line.messages
    else:
        if level is not None:
            await client.ask("logging/setLevel", {"level": level})
        await client.call(call["name"], call["arguments"])  # type: ignore[arg-type]
        messages = client.line.messages
    return [message["params"] for message in messages if message.get("method") == "notifications/message"]


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.usefixtures("attached")
async def test_who_asked_for_it_hears_it(client: Client, alice: User, level: str) -> None:
    [told] = await set_and_hear(client, level)
    assert (told["level"], told["logger"]) == ("info", "tools")
    assert told["data"] == {
        "message": "User preference updated", "userId": alice.pk, "key": "tea", "value": "str",
    }  # fmt: skip


@pytest.mark.parametrize("level", [None, "warning", "emergency"])
async def test_who_did_not_hears_nothing(client: Client, level: str | None) -> None:
    assert await set_and_hear(client, level) == []


async def test_a_level_that_there_is_not_is_none(wire: Wire) -> None:
    assert await set_and_hear(wire, "loud") == []


async def test_it_comes_before_the_result(wire: Wire) -> None:
    request = wire.request(
        "tools/call", {"name": "session-analytics", "arguments": {}}, **{LOG_LEVEL_META_KEY: "info"}
    )
    messages = (await wire.post(request)).messages
    assert [message.get("method", "result") for message in messages] == ["notifications/message", "result"]


async def test_the_server_s_log_has_it_on_one_line(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await wire.call("manage-preferences", {"action": "set", "key": "a\nCRITICAL b", "value": "canary-value"})
    [record] = [record for record in caplog.records if record.name == "tools_app.context"]
    assert record.getMessage() == "User preference updated: userId=1 key='a\\nCRITICAL b' value='str'".replace(
        "userId=1", record.getMessage().split()[3]
    )
    assert "canary-value" not in caplog.text


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("get-user-profile", {}, "Retrieving user profile"),
        ("session-analytics", {}, "Session analytics requested"),
        ("cached-data-fetch", {"dataType": "logs", "useCache": False}, "Fetching fresh data"),
        ("rate-limited-operation", {"operation": "usage-report"}, "Rate-limited operation executed"),
    ],
)
async def test_each_of_the_seed_s_sentences_reaches_a_client(
    wire: Wire, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    call = {"name": tool, "arguments": arguments}
    answer = await wire.post(wire.request("tools/call", call, **{LOG_LEVEL_META_KEY: "info"}))
    said = [message["params"]["data"]["message"] for message in answer.messages if "params" in message]
    assert sentence in said
