"""What a client, a subscriber and a proxy see when the server is told to stop."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from django.conf import settings

from project.server import Server, has_unread, uvicorn_config
from tests.process import NOT_HERE_YET, Process, until

from .clients import Clients, cling
from .conftest import Start
from .impatient import ENDS_WITHIN

pytestmark = pytest.mark.process
WITH_SERVICES = [pytest.mark.postgres, pytest.mark.redis]
NOTICE = 1
"""Seconds; two_workers' is the same."""
CALL = 0.3
"""Seconds that each takes."""
LISTEN = {"notifications": {"toolsListChanged": True}}


@dataclass
class Farewell:
    """A stop under load, as seen from outside."""

    clients: Clients
    older: Clients
    """Those of the handshake era."""
    stream: list[str] = field(default_factory=list)
    older_stream: list[str] = field(default_factory=list)
    """What the session's GET stream said after the signal, to its proper end."""
    ready: list[tuple[int, Any]] = field(default_factory=list)
    """What /readyz said on new connections, until there were none."""
    streams_ended_after: float = 0.0
    ended_after: float = 0.0
    output: str = ""
    status: int = 0


@pytest.fixture(scope="module", params=[pytest.param(1), pytest.param(2, marks=WITH_SERVICES)], ids=["one", "two"])
def farewell(request: pytest.FixtureRequest) -> Farewell:
    if request.param == 2:
        return say_farewell(request.getfixturevalue("two_workers")())
    return say_farewell(request.getfixturevalue("start_again")(CONCIERGE_STOP_NOTICE=str(NOTICE)))


def say_farewell(process: Process) -> Farewell:
    session = process.open_session()
    calling = [Clients(process, 10, "wait", session=of, seconds=CALL) for of in (None, session)]
    seen = Farewell(clients=calling[0], older=calling[1])
    headers = process.headers(session) | {"accept": "text/event-stream"}
    with (
        httpx2.stream("POST", **process.request("subscriptions/listen", LISTEN)) as stream,
        httpx2.stream("GET", f"{process.url}/mcp", headers=headers, timeout=30) as older_stream,
    ):
        lines, older_lines = stream.iter_lines(), older_stream.iter_lines()
        assert any("acknowledged" in line for line in lines)
        assert any(line.startswith("retry:") for line in older_lines)
        until(lambda: all(clients.answered >= 10 for clients in calling))
        began = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        seen.stream, seen.older_stream = list(lines), list(older_lines)
        seen.streams_ended_after = time.monotonic() - began
    seen.ready = list(answers_of(process))
    seen.output = process.popen.communicate(timeout=30)[0]
    seen.ended_after = time.monotonic() - began
    seen.status = process.popen.returncode
    for clients in calling:
        clients.wait_until_refused()
    return seen


def answers_of(process: Process) -> Iterator[tuple[int, Any]]:
    while True:
        try:
            answer = httpx2.get(f"{process.url}/readyz", timeout=5)
        except NOT_HERE_YET:
            return
        yield answer.status_code, answer.json()
        time.sleep(0.05)


def test_no_call_of_either_era_is_lost(farewell: Farewell) -> None:
    for clients in (farewell.clients, farewell.older):
        assert (clients.lost, clients.wrong) == ([], [])
        assert clients.answered >= 20


def test_an_open_subscription_ends_with_its_result_and_a_get_stream_with_nothing(farewell: Farewell) -> None:
    assert any('"resultType":"complete"' in line for line in farewell.stream)
    assert not any(line.startswith("data:") for line in farewell.older_stream)
    assert farewell.streams_ended_after < 2


def test_it_says_that_it_is_not_ready_while_it_still_accepts(farewell: Farewell) -> None:
    assert len(farewell.ready) >= 2
    assert {status for status, _ in farewell.ready} == {503}
    assert farewell.ready[0][1] == {"status": "not ready", "draining": True}


def test_it_ends_soon_and_quietly(farewell: Farewell) -> None:
    assert NOTICE <= farewell.ended_after < NOTICE + CALL + 2
    assert farewell.status == 0
    assert "Traceback" not in farewell.output, farewell.output


def test_what_is_stuck_or_not_read_keeps_it_only_for_so_long(start_again: Start) -> None:
    process = start_again(DJANGO_SETTINGS_MODULE="tests.project.impatient")
    stuck_in_a_thread = process.call("slow-write", seconds=30)
    assert stuck_in_a_thread["isError"]
    with closing(cling(process, "wait", seconds=4)), closing(cling(process, "count", to=200_000)):
        assert process.is_ready()  # so the calls have been read
        began = time.monotonic()
        process.end()
    assert time.monotonic() - began < ENDS_WITHIN + 3


async def test_a_request_that_has_arrived_is_read_before_quiet_connections_are_closed() -> None:
    server = Server(uvicorn_config(settings.CONFIG), beat=lambda: None)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    listener = await asyncio.get_running_loop().create_server(server.new_protocol, "127.0.0.1", 0)
    with closing(socket.create_connection(listener.sockets[0].getsockname())) as client:
        async with asyncio.timeout(5):
            while not server.server_state.connections:  # noqa: ASYNC110
                await asyncio.sleep(0)
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")  # and the event loop does not look
        assert has_unread(server.idle_connections())
        await server.read_what_arrived()
        assert not has_unread(server.idle_connections())
        assert b" 200 " in await asyncio.to_thread(client.recv, 4096)
    listener.close()


def test_a_second_signal_ends_it_unless_it_is_the_first_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now, limits, draining = 100.0, list[float](), Event()
    monkeypatch.setattr("project.server.draining", draining)
    monkeypatch.setattr("project.server.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("project.server.end_within", limits.append)
    server = Server(uvicorn_config(settings.CONFIG), beat=lambda: None)
    for _ in range(3):  # from the terminal, make and a parent
        server.handle_exit(signal.SIGTERM, None)
    assert (server.should_exit, server.force_exit, limits) == (True, False, [21])
    assert draining.is_set()
    now += 2
    server.handle_exit(signal.SIGTERM, None)
    assert (server.force_exit, limits) == (True, [21, 1])
