"""Every request has an id: in its answer, in its log lines, and nobody who is not trusted chooses it."""

import asyncio
import re
from typing import Any

import pytest
from mcp_types import LOG_LEVEL_META_KEY

from project import edge
from sessions_app import pool
from sessions_app.models import User
from sessions_app.request_ids import given_id, new_id, request_id
from tests.clients import Client
from tests.socket import SocketWire
from tests.wire import Durable, Exchange, Wire, encoded
from tests.written import written

MADE = re.compile(r"[0-9a-f]{16}")
GUEST = {"host": "127.0.0.1:8000"}


@pytest.fixture
def behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "IS_NAMED_IN_FRONT", True)


async def get(path: str, **headers: str) -> str:
    exchange = Exchange(b"", encoded({**GUEST, **headers}), method="GET", path=path, raw_path=path.encode())
    return (await exchange.wait()).request_id


PATHS = ["/livez", "/", "/mcp", "/mcp/guest", "/ws/mcp", "/api/keys/", "/admin/", "/nowhere"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_it(path: str, db_for_threads: None) -> None:
    assert MADE.fullmatch(await get(path))


async def test_a_call_and_a_stream_have_it(wire: Wire) -> None:
    assert MADE.fullmatch((await wire.call("echo", {"text": "a"})).request_id)
    call = {"name": "session-analytics", "arguments": {}}
    streamed = await wire.post(wire.request("tools/call", call, **{LOG_LEVEL_META_KEY: "info"}))
    assert streamed.is_stream
    assert MADE.fullmatch(streamed.request_id)
    durable = await Durable.open(wire.key)
    stream = await durable.get()
    assert MADE.fullmatch(stream.answer.request_id)
    stream.leave()
    await stream.wait()


async def test_two_requests_have_two(wire: Wire) -> None:
    ids = {(await wire.call("echo", {"text": "a"})).request_id for _ in range(20)}
    assert len(ids) == 20


async def test_a_stranger_does_not_choose_it(wire: Wire) -> None:
    answer = await wire.call("echo", {"text": "a"}, headers={"x-request-id": "chosen"})
    assert MADE.fullmatch(answer.request_id)


@pytest.mark.usefixtures("behind_a_proxy")
async def test_a_proxy_does(client: Client, recorded: Any) -> None:
    if isinstance(client, SocketWire):
        pytest.skip("a message has no headers")
    with written("json") as log:
        answer = await client.call("echo", {"text": "a"}, headers={"x-request-id": "From.the_proxy-1"})
        await recorded()
    assert answer.request_id == "From.the_proxy-1"
    [line] = log.by("concierge.calls")
    assert line["request_id"] == "From.the_proxy-1"


@pytest.mark.usefixtures("behind_a_proxy")
@pytest.mark.parametrize("value", ["", "a b", "x" * 65, "a\tb", "é", "a\x1b", "a,b", "<x>"])
async def test_but_not_one_that_does_harm(wire: Wire, value: str) -> None:
    answer = await wire.call("echo", {"text": "a"}, headers={"x-request-id": value})
    assert MADE.fullmatch(answer.request_id)


def test_two_are_none() -> None:
    assert given_id([(b"x-request-id", b"a"), (b"x-request-id", b"b")]) is None
    assert given_id([(b"x-request-id", b"a")]) == "a"


async def test_each_message_of_a_socket_has_its_own(alice: User, wire: Wire, recorded: Any) -> None:
    assert wire.key is not None
    client = await SocketWire.open(wire.key)
    with written("json") as log:
        await client.call("echo", {"text": "a"})
        await client.call("crash", {})
        await recorded()
    await client.leave()
    first, second = [line["request_id"] for line in log.by("concierge.calls")]
    [crash] = log.by("tools_app.gate")
    assert crash["request_id"] == second != first
    assert first.partition(".")[0] == second.partition(".")[0]
    assert MADE.fullmatch(first.partition(".")[0])


async def test_it_reaches_the_threads_and_does_not_stay_there(db_for_threads: None) -> None:
    naming = request_id.set("abc")
    assert await pool.sweep_pool.run(request_id.get) == "abc"
    request_id.reset(naming)
    assert await pool.sweep_pool.run(request_id.get) == ""


async def test_a_job_that_fails_later_says_whose_it_was(db_for_threads: None) -> None:
    naming = request_id.set("abc")
    with written("json") as log:
        pool.sweep_pool.later(lambda: 1 // 0)
        await pool.sweep_pool.run(lambda: None)
    request_id.reset(naming)
    [line] = log.documents
    assert (line["message"], line["request_id"]) == ("A background job failed", "abc")


async def test_what_is_written_later_is_nobody_s(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call of a batch begins the timer; what goes wrong when it rings is not that call's."""
    found: list[str] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look(entries: Any) -> list[Any]:
        found.append(request_id.get())
        loop.call_soon_threadsafe(done.set)
        return []

    monkeypatch.setattr("tools_app.recorder.FLUSH_AFTER", 0.001)
    monkeypatch.setattr("tools_app.recorder.write", look)
    await wire.call("echo", {"text": "a"})
    await asyncio.wait_for(done.wait(), 5)
    assert found == [""]


def test_they_tell_nothing_of_each_other() -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert sorted(ids) != ids
