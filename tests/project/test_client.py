"""A client that nobody here wrote, over a real socket, in both eras."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import Group
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost, ToolsListChanged
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult

from sessions_app.client import websocket
from sessions_app.models import Preference, User
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool
from sessions_app.transport.ends import ends
from tests.conftest import key_for
from tests.process import Process
from tests.wire import until

SPOKEN = {"auto": "2026-07-28", "legacy": "2025-11-25"}
"""What comes of the modes that the client has."""
WIRES = [(wire, mode) for wire in ("http", "ws") for mode in SPOKEN]

Connect = Callable[[str, str], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def over_http(url: str, key: str) -> AsyncIterator[Any]:
    """With a connection for each request, as there are behind a proxy."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, limits=limits) as http:
        yield streamable_http_client(f"{url}/mcp", http_client=http)


@asynccontextmanager
async def over_websocket(url: str, key: str) -> AsyncIterator[Any]:
    yield websocket(f"{url.replace('http', 'ws')}/ws/mcp", token=key)


TRANSPORTS = {"http": over_http, "ws": over_websocket}


@pytest.fixture(params=WIRES, ids=" ".join)
def connected(request: pytest.FixtureRequest) -> Connect:
    """A client of each era, over each wire."""
    wire, mode = request.param

    async def accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"sure": True})

    @asynccontextmanager
    async def connect(url: str, key: str) -> AsyncIterator[Client]:
        async with (
            TRANSPORTS[wire](url, key) as transport,
            Client(transport, mode=mode, elicitation_callback=accept) as client,
        ):
            assert client.protocol_version == SPOKEN[mode]
            yield client

    return connect


@pytest.fixture
def key(alice: User) -> str:
    return key_for(alice)


async def test_it_lists_and_calls(served: str, key: str, alice: User, connected: Connect) -> None:
    async with connected(served, key) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"get-user-profile", "manage-preferences"} <= tools
        for value in ({"deep": [1, None]}, None, "[1,2]"):
            await client.call_tool("manage-preferences", {"action": "set", "key": "k", "value": value})
            read = await client.call_tool("manage-preferences", {"action": "get", "key": "k"})
            assert read.structured_content is not None
            assert read.structured_content["preferences"] == {"k": value}
            assert (await Preference.objects.aget(user=alice, key="k")).value == value


async def test_unknown_names_are_protocol_errors(served: str, key: str, connected: Connect) -> None:
    async with connected(served, key) as client:
        is_new = client.protocol_version == SPOKEN["auto"]
        for unknown, code in (
            (client.call_tool("restock", {}), -32602),
            (client.get_prompt("audit"), -32602),
            (client.read_resource("shop://ledger"), -32602 if is_new else -32002),
        ):
            with pytest.raises(MCPError) as caught:
                await unknown
            assert caught.value.code == code


async def test_progress_arrives_while_the_tool_works(served: str, key: str, connected: Connect) -> None:
    async with connected(served, key) as client:
        assert await progress_of(client) == [1, 2, 3]


async def progress_of(client: Client) -> list[float]:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    await client.call_tool("count", {"to": 3}, progress_callback=hear)
    return heard


async def test_a_tool_s_question_is_answered(served: str, key: str, connected: Connect) -> None:
    async with connected(served, key) as client:
        assert await answer_of(client) == {"result": "Tea: yes"}


async def answer_of(client: Client) -> Any:
    return (await client.call_tool("ask", {"text": "Tea"})).structured_content


@pytest.fixture(params=TRANSPORTS)
def listening(request: pytest.FixtureRequest) -> Connect:
    """A client of 2026-07-28, which is the one that listens, over each wire."""

    @asynccontextmanager
    async def connect(url: str, key: str) -> AsyncIterator[Client]:
        async with (
            TRANSPORTS[request.param](url, key) as transport,
            Client(transport, mode=SPOKEN["auto"]) as client,
        ):
            yield client

    return connect


async def test_it_listens_and_leaves(served: str, key: str, alice: User, listening: Connect) -> None:
    administrators = await Group.objects.aget(name=ADMINISTRATORS)
    async with listening(served, key) as client:
        async with client.listen(tools_list_changed=True) as changes:
            await identity_pool.run(lambda: alice.groups.add(administrators))
            assert await asyncio.wait_for(anext(changes), 5) == ToolsListChanged()
            assert subscriptions() == 1
        await until(lambda: not subscriptions())
        assert (await client.call_tool("echo", {"text": "on"})).structured_content == {"result": "on"}


def subscriptions() -> int:
    """Those that are open. The server is in this process."""
    return sum(listener.takes_a_place for listener in tuple(ends._listeners))


async def test_it_hears_that_it_may_not_listen_any_more(
    served: str, key: str, alice: User, listening: Connect
) -> None:
    async with listening(served, key) as client:
        async with client.listen(resource_subscriptions=["shop://menu"]) as changes:
            await identity_pool.run(alice.groups.clear)
            with pytest.raises(SubscriptionLost):
                await asyncio.wait_for(anext(changes), 5)
        assert "echo" not in {tool.name for tool in (await client.list_tools()).tools}


@pytest.mark.process
@pytest.mark.postgres
@pytest.mark.redis
async def test_two_workers_are_like_one(two_workers: Callable[[], Process], connected: Connect) -> None:
    process = two_workers()
    answered_by: set[str] = set()
    async with asyncio.timeout(30):
        while len(answered_by) < 2:  # a socket stays where it is
            async with connected(process.url, process.key) as client:
                answered_by |= {await round_of(client) for _ in range(5)}


async def round_of(client: Client) -> str:
    """The worker that the last answer is from."""
    assert "get-user-profile" in {tool.name for tool in (await client.list_tools()).tools}
    assert await progress_of(client) == [1, 2, 3]
    assert await answer_of(client) == {"result": "Tea: yes"}
    return str((await client.call_tool("worker", {})).structured_content)


async def test_a_bad_key_is_refused(served: str) -> None:
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{served}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "server/discover"},
            headers={"Authorization": "Bearer cgk_nothing", "Accept": "application/json, text/event-stream"},
        )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
