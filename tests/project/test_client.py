"""A client that nobody here wrote, over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult

from sessions_app.models import Preference, User
from tests.conftest import key_for


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[Client]:
    async def accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"sure": True})

    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"})
    transport = streamable_http_client(f"{url}/mcp", http_client=http)
    async with http, Client(transport, elicitation_callback=accept) as client:
        yield client


@pytest.fixture
def key(alice: User) -> str:
    return key_for(alice)


async def test_it_lists_and_calls(served: str, key: str, alice: User) -> None:
    async with connected(served, key) as client:
        assert client.protocol_version == "2026-07-28"
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"get-user-profile", "manage-preferences"} <= tools
        for value in ({"deep": [1, None]}, None, "[1,2]"):
            await client.call_tool("manage-preferences", {"action": "set", "key": "k", "value": value})
            read = await client.call_tool("manage-preferences", {"action": "get", "key": "k"})
            assert read.structured_content is not None
            assert read.structured_content["preferences"] == {"k": value}
            assert (await Preference.objects.aget(user=alice, key="k")).value == value


async def test_unknown_names_are_protocol_errors(served: str, key: str) -> None:
    async with connected(served, key) as client:
        for unknown in (
            client.call_tool("restock", {}),
            client.get_prompt("audit"),
            client.read_resource("shop://ledger"),
        ):
            with pytest.raises(MCPError) as caught:
                await unknown
            assert caught.value.code == -32602


async def test_progress_arrives_while_the_tool_works(served: str, key: str) -> None:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with connected(served, key) as client:
        await client.call_tool("count", {"to": 3}, progress_callback=hear)
    assert heard == [1, 2, 3]


async def test_a_tool_s_question_is_answered(served: str, key: str) -> None:
    async with connected(served, key) as client:
        answer = await client.call_tool("ask", {"text": "Tea"})
    assert answer.structured_content == {"result": "Tea: yes"}


async def test_a_bad_key_is_refused(served: str) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{served}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "server/discover"},
            headers={"Authorization": "Bearer cgk_nothing", "Accept": "application/json, text/event-stream"},
        )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
