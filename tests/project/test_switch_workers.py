"""Two workers: what an operator switches off is off in both, and whoever listens at either is told."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import pytest
from mcp import Client
from mcp.shared.subscriptions import ToolsListChanged

from tests.process import Process, paused, until

from .test_client import SPOKEN, TRANSPORTS

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]

LISTEN = {"notifications": {"toolsListChanged": True}}
CHANGED = "notifications/tools/list_changed"
SWITCH = "from tools_app.models import ToolPolicy; ToolPolicy.objects.filter(tool='echo').switch_{}()"
SQL = (
    "from django.db import connection; connection.cursor()"
    ".execute(\"UPDATE tools_tool_policy SET is_on = {} WHERE tool = 'echo'\")"
)


@pytest.fixture
def pair(two_workers: Callable[[], Process]) -> Iterator[Process]:
    process = two_workers()
    until(lambda: len(process.workers) == 2)
    yield process
    shell(process, SWITCH.format("on"))


def shell(process: Process, code: str) -> None:
    """In a process of its own, as an operator's command."""
    process.manage("shell", "--no-imports", "-c", code)


class Stream:
    """What is told on one, line by line."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.iter_lines()

    def hears(self, method: str) -> None:
        for line in self._lines:
            if line.startswith("data: {") and json.loads(line.removeprefix("data: "))["method"] == method:
                return
        pytest.fail("the stream ended")


def open_streams(process: Process, opened: ExitStack) -> Iterator[Stream]:
    """One of each era."""
    listen = httpx2.stream("POST", **process.request("subscriptions/listen", LISTEN))
    later = Stream(opened.enter_context(listen))
    later.hears("notifications/subscriptions/acknowledged")
    yield later
    headers = process.headers(process.open_session()) | {"accept": "text/event-stream"}
    yield Stream(opened.enter_context(httpx2.stream("GET", f"{process.url}/mcp", headers=headers, timeout=30)))


def is_known(process: Process) -> bool:
    answer = httpx2.post(**process.request("tools/call", {"name": "echo", "arguments": {"text": "x"}}))
    listed = httpx2.post(**process.request("tools/list", {})).json()["result"]["tools"]
    is_listed = "echo" in {tool["name"] for tool in listed}
    assert is_listed == ("result" in answer.json()), answer.text
    return is_listed


def known_by_each(process: Process) -> set[bool]:
    known = set()
    for worker in process.workers:
        with paused(worker):
            known.add(is_known(process))
    return known


def test_every_worker_knows_at_once_and_tells_those_who_listen(pair: Process) -> None:
    assert known_by_each(pair) == {True}
    with ExitStack() as opened:
        streams: list[Stream] = []
        for worker in pair.workers:
            with paused(worker):
                streams += open_streams(pair, opened)
        for word, known in (("off", False), ("on", True)):
            shell(pair, SWITCH.format(word))
            assert known_by_each(pair) == {known}
            for stream in streams:
                stream.hears(CHANGED)


def test_what_sql_changes_is_told_and_known_soon(pair: Process) -> None:
    with ExitStack() as opened:
        streams: list[Stream] = []
        for worker in pair.workers:
            with paused(worker):
                streams += open_streams(pair, opened)
        shell(pair, SQL.format("false"))
        for stream in streams:
            stream.hears(CHANGED)
        until(lambda: known_by_each(pair) == {False}, seconds=2)


@pytest.mark.parametrize("wire", TRANSPORTS)
async def test_the_sdk_s_client_hears_it_on_each_wire(pair: Process, wire: str) -> None:
    async with (
        TRANSPORTS[wire](pair.url, pair.key) as transport,
        Client(transport, mode=SPOKEN["auto"]) as client,
        client.listen(tools_list_changed=True) as changes,
    ):
        await asyncio.to_thread(shell, pair, SWITCH.format("off"))
        assert await asyncio.wait_for(anext(changes), 5) == ToolsListChanged()
        assert "echo" not in {tool.name for tool in (await client.list_tools()).tools}
