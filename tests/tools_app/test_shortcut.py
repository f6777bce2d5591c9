"""The short way past the SDK's kernel gives what the kernel gives."""

import json
import re
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from sessions_app.transport import kernel
from tests.wire import Answer, Durable, Wire
from tools_app.server import McpServer

pytestmark = pytest.mark.alike

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("echo", {"text": "hello"}),
    ("echo", {"text": 5}),
    ("echo", {}),
    ("order", {"number": 1}),
    ("any-value", {"value": None}),
    ("any-value", {"value": {"a": [None, 1.5, "é"]}}),
    ("typed", {"number": 1, "tags": ["a"]}),
    ("refuse", {}),
    ("restock", {}),
    ("manage-preferences", {"action": "get"}),
    ("manage-preferences", {"action": "set", "key": "a", "value": None}),
    ("manage-preferences", {"action": "get", "key": "missing"}),
    ("by-region", {"region": "north"}),
    ("linked", {}),
    ("crash", {}),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS)
async def test_both_ways_give_the_same(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any]
) -> None:
    taken: list[bool] = []
    shortcut = McpServer.shortcut

    def noticed(self: McpServer, *request: Any) -> Any:
        result = shortcut(self, *request)
        taken.append(result is not None)
        return result

    monkeypatch.setattr(McpServer, "shortcut", noticed)
    short = await wire.call(name, arguments)
    monkeypatch.setattr(McpServer, "shortcut", lambda *request: None)
    long = await wire.call(name, arguments)
    assert taken == [True]
    assert short.status == long.status
    assert same(short) == same(long)


def same(answer: Answer) -> str:
    """All of an answer but the number of a failure, as JSON of one order."""
    return re.sub("Error id: [0-9a-f]{8}", "Error id", json.dumps(answer.messages, sort_keys=True))


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
async def test_both_ways_give_the_same_in_the_handshake_era(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    client = await Durable.open(wire.key, version)
    for name, arguments in CALLS:
        message = client.request("tools/call", {"name": name, "arguments": arguments})
        with monkeypatch.context() as patch:
            patch.setattr(kernel, "run_kernel", None)  # so it is not the long way
            short = await client.post(message, headers={"mcp-param-region": "north"})
        with monkeypatch.context() as patch:
            patch.setattr(McpServer, "shortcut", lambda *request: None)
            long = await client.post(message, headers={"mcp-param-region": "north"})
        assert (short.status, same(short)) == (long.status, same(long)), name
        assert short.messages[0]["id"] == message["id"]
        assert short.messages[0].get("error", {}).get("code") != -32603


async def test_before_content_was_structured_there_is_only_the_long_way(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(McpServer, "call_plainly", None)
    client = await Durable.open(wire.key, "2025-03-26")
    answer = await client.call("echo", {"text": "x"})
    assert answer.result == {"content": [{"type": "text", "text": "x"}], "isError": False}


@pytest.mark.parametrize(
    "params",
    [
        {"name": "echo", "arguments": {"text": "x"}, "requestState": "v1.forged"},
        {"name": "echo", "arguments": {"text": "x"}, "unknown": 1},
        {"name": 5, "arguments": {}},
        {"name": "echo", "arguments": []},
        {"name": "echo", "arguments": None},
        {"arguments": {}},
        {"name": "echo", "arguments": {"text": "x"}, "task": {"ttl": 5}},
        {"name": "count", "arguments": {"to": 1}},
    ],
)
async def test_anything_odd_takes_the_long_way(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]
) -> None:
    def refuse(*call: Any) -> None:
        raise MCPError(0, "the short way")

    monkeypatch.setattr(McpServer, "call_plainly", refuse)
    name = params.get("name")
    headers = {"mcp-name": name if isinstance(name, str) else None}
    answer = await wire.ask("tools/call", params, headers=headers)
    assert "the short way" not in str(answer.messages)
    assert answer.status in (200, 400)


@pytest.mark.parametrize("meta", [None, [], "", 0, {"progressToken": "p", "example.com/odd": 1}])
async def test_an_odd_meta_takes_the_long_way_too(wire: Wire, monkeypatch: pytest.MonkeyPatch, meta: Any) -> None:
    monkeypatch.setattr(McpServer, "call_plainly", None)
    client = await Durable.open(wire.key)
    answer = await client.ask("tools/call", {"name": "echo", "arguments": {"text": "x"}, "_meta": meta})
    if isinstance(meta, dict | None):
        assert answer.text == "x"
    else:
        assert (answer.status, answer.error["code"]) == (200, -32602)
