"""The transport for the Python SDK's client: what it refuses to do, and how it says why it ended."""

import asyncio
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from sessions_app import client as module
from sessions_app.client import SocketClosed, SocketRefused, websocket
from sessions_app.connect import instructions
from sessions_app.models import ApiKey, Session, User
from sessions_app.pool import identity_pool
from sessions_app.state import state
from sessions_app.state.memory import MemoryState
from tests.conftest import key_for
from tests.shop import tools as shop
from tests.wire import until


@pytest.fixture
def key(alice: User) -> str:
    return key_for(alice)


def ws(url: str) -> str:
    return f"{url.replace('http', 'ws', 1)}/ws/mcp"


BAD_URLS = {
    "https://mcp.example.com/mcp": "wss://",
    "wss:///ws/mcp": "wss://",
    "wss://alice:secret@mcp.example.com/ws/mcp": "credential",
    "wss://mcp.example.com/ws/mcp?token=cgk_x": "credential",
    "ws://mcp.example.com/ws/mcp": "wss:// only",
}


@pytest.mark.parametrize("url", BAD_URLS)
async def test_it_does_not_give_a_token_away(url: str) -> None:
    with pytest.raises(ValueError, match=BAD_URLS[url]) as refused:
        async with websocket(url, token="cgk_secret"):
            pass
    assert "secret" not in str(refused.value)


async def test_it_does_not_give_a_header_away_either() -> None:
    with pytest.raises(ValueError, match="wss:// only"):
        async with websocket("ws://mcp.example.com/ws/mcp", headers={"X-API-Key": "cgk_secret"}):
            pass


async def test_it_does_not_repeat_a_token_that_cannot_be_sent(served: str) -> None:
    with pytest.raises(ValueError, match="Authorization is one line") as refused:
        async with websocket(ws(served), token="cgk_secret\n"):
            pass
    assert "secret" not in str(refused.value)


async def test_it_takes_no_proxy_to_its_own_machine(
    served: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # where nobody is
    monkeypatch.delenv("no_proxy", raising=False)
    async with Client(websocket(ws(served), token=key)) as client:
        await client.list_tools()


async def test_it_says_why_it_was_not_let_in(served: str) -> None:
    with pytest.raises(SocketRefused, match="The credential is not valid") as refused:
        async with Client(websocket(ws(served), token="cgk_nobody")):
            pass
    assert refused.value.status == 401
    assert "cgk_nobody" not in str(refused.value)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_it_says_why_it_ended(served: str, key: str, mode: str) -> None:
    async def work() -> None:
        async with Client(websocket(ws(served), token=key), mode=mode) as client:
            await client.call_tool("wait", {"seconds": 4})

    working = asyncio.ensure_future(work())
    await until(is_waiting)
    row = await ApiKey.objects.aget()
    await identity_pool.run(lambda: row.revoke("lost"))
    with pytest.raises(SocketClosed, match="not valid any more") as closed:
        await working
    assert closed.value.code == 4401


def is_waiting() -> bool:
    """Whether a call of the tool `wait` is under way. The server is in this process."""
    assert isinstance(state, MemoryState)
    return any(operation.name == "wait" for runs in state._running.values() for _, operation in runs.values())


async def test_an_ended_session_is_told_from_a_lost_credential(served: str, key: str) -> None:
    async def work() -> None:
        async with Client(websocket(ws(served), token=key)) as client:
            session = await Session.objects.aget()
            await identity_pool.run(lambda: session.end("by an operator"))
            while True:
                await client.list_tools()

    with pytest.raises(SocketClosed) as closed:
        await work()
    assert closed.value.code == 4403


async def test_a_failure_of_the_caller_s_own_is_left_alone(served: str, key: str) -> None:
    async with Client(websocket(ws(served), token=key)) as client:
        with pytest.raises(MCPError, match="no-such-prompt"):
            await client.get_prompt("no-such-prompt")
        with pytest.raises(ExceptionGroup):
            async with Client(websocket(ws(served), token=key)):
                raise ValueError


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_who_waits_no_longer_cancels(served: str, key: str, mode: str) -> None:
    async with Client(websocket(ws(served), token=key), mode=mode) as client:
        waiting = asyncio.ensure_future(client.call_tool("wait", {"seconds": 4, "name": mode}))
        await until(is_waiting)
        waiting.cancel()
        await until(lambda: not is_waiting())
        assert mode not in shop.finished
        assert (await client.call_tool("echo", {"text": "on"})).structured_content == {"result": "on"}


async def test_a_large_result_arrives(served: str, key: str) -> None:
    async with Client(websocket(ws(served), token=key)) as client:
        called = await client.call_tool("recite", {"text": "Tea? ", "times": 1_000_000})
        assert called.structured_content == {"result": "Tea? " * 1_000_000}


async def test_a_message_that_is_too_large_ends_it(served: str, key: str) -> None:
    with pytest.raises(SocketClosed) as closed:
        async with Client(websocket(ws(served), token=key)) as client:
            await client.call_tool("echo", {"text": "x" * 300_000})
    assert closed.value.code == 1009


ALONE = """
import sys
sys.modules.update(dict.fromkeys(("django", "channels", "sessions_app", "project")))
from client import websocket
print(websocket.__name__)
"""


def test_the_file_can_be_copied(tmp_path: Path) -> None:
    shutil.copy(str(module.__file__), tmp_path / "client.py")
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "websocket\n"


def test_what_connect_prints_is_ready_to_paste() -> None:
    command = instructions("claude-code-websocket", "https://mcp.example.com", "cgk_key")
    *start, server = shlex.split(command)
    assert start == ["claude", "mcp", "add-json", "concierge"]
    assert json.loads(server) == {
        "type": "ws",
        "url": "wss://mcp.example.com/ws/mcp",
        "headers": {"Authorization": "Bearer cgk_key"},
    }
    script = instructions("python-websocket", "https://mcp.example.com", "cgk_key")
    assert 'websocket("wss://mcp.example.com/ws/mcp", token="cgk_key")' in script
    compile(script, "script", "exec")
    assert "https://mcp.example.com/mcp" in instructions("python", "https://mcp.example.com", "cgk_key")
