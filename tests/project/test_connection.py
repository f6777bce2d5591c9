"""Connections whose clients stall, send too much before a request is whole, or read nothing."""

import resource
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from project import server
from project.wire import connection
from project.wire.connection import LARGEST_HEAD, allow_many_files, most_connections
from sessions_app.refusals import Reason, refusals
from sessions_app.transport.guard import LARGEST_HEADER, LARGEST_HEADERS
from tests.frames import connected, handshake

from .sockets import SocketServer

HEAD = b"Host: 127.0.0.1\r\n"
ANSWER = b"GET /reply HTTP/1.1\r\n" + HEAD
HALF_A_BODY = b"POST /reply HTTP/1.1\r\n" + HEAD + b"Content-Length: 9\r\n\r\nhalf"


@pytest.fixture
def hasty(sockets: SocketServer, settings: Any) -> SocketServer:
    settings.SLOWEST_REQUEST = 0.3
    return sockets


@pytest.fixture
def client(hasty: SocketServer) -> Iterator[socket.socket]:
    with connected(hasty.port) as one:
        yield one


def said_until_closed(client: socket.socket) -> bytes:
    """Raises: TimeoutError, after five seconds in which nothing is said."""
    said = b""
    while data := client.recv(65536):
        said += data
    return said


def answered(client: socket.socket, request: bytes = ANSWER + b"\r\n") -> None:
    client.sendall(request)
    said = b""
    while not said.endswith(b"\r\n\r\nok"):
        said += client.recv(65536)


def test_who_says_nothing_is_left_without_a_word(client: socket.socket) -> None:
    assert said_until_closed(client) == b""


@pytest.mark.parametrize(
    "half",
    [b"G", ANSWER, handshake()[:-2], ANSWER + b"X-A: a" * 100],
    ids=["a letter", "lines", "upgrade", "a line"],
)
def test_half_a_header_is_answered_and_waited_for_no_longer(client: socket.socket, half: bytes) -> None:
    client.sendall(half)
    said = said_until_closed(client)
    assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nconnection: close\r\n" in said


def test_a_byte_now_and_then_does_not_keep_it_waiting(client: socket.socket) -> None:
    client.settimeout(0.1)
    until, said = time.monotonic() + 5, b""
    for letter in ANSWER * 9:
        client.sendall(bytes([letter]))
        try:
            said = client.recv(65536)
        except TimeoutError:
            assert time.monotonic() < until
        else:
            break
    assert said.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("more", [ANSWER, b"\r\n"], ids=["half a header", "a line break"])
def test_the_next_request_has_its_own_time(client: socket.socket, more: bytes) -> None:
    answered(client)
    client.sendall(more)
    said = said_until_closed(client)
    assert said.startswith(b"HTTP/1.1 408 ") if more == ANSWER else said == b""


def test_a_body_that_nobody_wants_any_more_is_not_waited_for(client: socket.socket) -> None:
    answered(client, HALF_A_BODY)
    assert said_until_closed(client) == b""


def test_a_quiet_connection_is_kept_after_an_answer(client: socket.socket) -> None:
    client.settimeout(2.5)
    for _ in range(2):
        answered(client)
        with pytest.raises(TimeoutError):
            client.recv(1)
    answered(client)


def test_what_is_under_way_is_not_late(client: socket.socket, hasty: SocketServer) -> None:
    client.sendall(b"GET /http HTTP/1.1\r\n" + HEAD + b"\r\n" + ANSWER)
    client.settimeout(2.5)
    with pytest.raises(TimeoutError):
        client.recv(1)


def test_it_takes_what_the_guard_takes() -> None:
    assert LARGEST_HEAD >= LARGEST_HEADERS + LARGEST_HEADER


def test_headers_that_are_not_whole_may_only_be_so_long(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(ANSWER + b"X-A: " + b"a" * (LARGEST_HEAD - 1000))
        client.sendall(b"\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        client.sendall(ANSWER + b"X-A: ")
        client.sendall(b"a" * 2**20)
        said = said_until_closed(client)
    assert said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_headers_that_are_too_large_end_what_is_under_way(sockets: SocketServer) -> None:
    """Their answer would come in the middle of another."""
    with connected(sockets.port) as client:
        client.sendall(b"GET /http HTTP/1.1\r\n" + HEAD + b"\r\n" + ANSWER + b"X-A: " + b"a" * 2**20)
        with pytest.raises(ConnectionResetError):
            said_until_closed(client)


def test_an_answer_that_is_not_read_is_not_kept(sockets: SocketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOWEST_READER", 0.3)
    with connected(sockets.port, buffer=4096) as client:
        client.sendall(b"GET /page HTTP/1.1\r\n" + HEAD + b"\r\n")
        sockets.wait_until_nobody_is_connected()


def test_an_answer_that_is_read_slowly_is_all_sent(sockets: SocketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOWEST_READER", 1.5)
    with connected(sockets.port, buffer=4096) as client:
        client.sendall(b"GET /page HTTP/1.1\r\nConnection: close\r\n" + HEAD + b"\r\n")
        client.setblocking(True)
        for _ in range(8):
            time.sleep(0.4)
            assert len(client.recv(2**20, socket.MSG_WAITALL)) == 2**20


def test_there_are_only_so_many_connections(sockets: SocketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "most_connections", lambda: 1)
    with connected(sockets.port) as first:
        answered(first)
        with connected(sockets.port) as second:
            said = said_until_closed(second)
        answered(first)
    assert said.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nretry-after: 1\r\n" in said


def test_others_find_room_among_as_many_files_as_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.append(new))
    most_connections.cache_clear()
    allow_many_files()
    assert limits[-1] == (4096, 4096)
    assert most_connections() == 4096 - connection.OTHER_FILES
    most_connections.cache_clear()


def test_it_is_counted_why(client: socket.socket) -> None:
    refusals.forget()
    client.sendall(ANSWER)
    said_until_closed(client)
    assert [reason for _, reason in refusals._counted] == [Reason.TOO_SLOW]
    refusals.forget()


class Looked:
    """A connection that says how often it was looked at."""

    def __init__(self) -> None:
        self.times = 0

    def look(self, now: float) -> None:
        self.times += 1


async def test_each_is_looked_at_every_second_however_many_go_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is late is one of many who are; each that is closed must not make another be passed over."""
    monkeypatch.setattr(server, "GuardedConnection", Looked)
    here = server.Server(server.uvicorn_config(settings.CONFIG), lambda: None)
    open_ones: Any = here.server_state.connections
    stay = [Looked() for _ in range(50)]
    open_ones.update(stay, (Looked() for _ in range(200)))
    for tick in range(20):
        here.look_at_connections(tick)
        for gone in [each for each in open_ones if each not in stay][:10]:
            open_ones.remove(gone)
    assert {each.times for each in stay} == {2}
