"""The short way past the SDK's kernel gives what the kernel gives."""

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.wire import Wire
from tools_app.server import McpServer

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
    assert short.messages == long.messages


@pytest.mark.parametrize(
    "params",
    [
        {"name": "echo", "arguments": {"text": "x"}, "requestState": "v1.forged"},
        {"name": "echo", "arguments": {"text": "x"}, "unknown": 1},
        {"name": 5, "arguments": {}},
        {"name": "echo", "arguments": []},
        {"name": "echo", "arguments": None},
        {"arguments": {}},
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
