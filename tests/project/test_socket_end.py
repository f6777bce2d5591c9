"""How a socket ends: by its application, because its peer is gone, or with the server."""

import time
from collections.abc import Iterator

import pytest

from tests.frames import CLOSE, PING, PONG, TEXT, Farewell, connected, frame, handshake
from tests.process import until

from .sockets import SocketServer, serving

SOON = 0.2
"""Seconds, where the real ones are ten and two."""
QUIET = 0.15
"""Seconds, where the real ones are twenty."""


@pytest.fixture(scope="module")
def running() -> Iterator[SocketServer]:
    """Asks quiet peers soon."""
    with serving(ws_ping_interval=QUIET, ws_ping_timeout=QUIET) as sockets:
        yield sockets


@pytest.fixture
def sockets(running: SocketServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketServer]:
    monkeypatch.setattr("project.wire.sockets.CLOSES_WITHIN", SOON)
    monkeypatch.setattr("project.wire.reading.LINGERS", SOON)
    yield running
    running.begin_anew()


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketServer]:
    """A server that is to be stopped, and that gives calls in flight a second."""
    monkeypatch.setattr("django.conf.settings.STOP_GRACE", 1)
    monkeypatch.setattr("project.wire.sockets.LINGERS", SOON)
    with serving() as sockets:
        yield sockets


def test_a_close_frame_that_is_not_answered_ends_the_connection_all_the_same(sockets: SocketServer) -> None:
    with sockets.open("/close") as peer:
        assert peer.receive() == (CLOSE, b"\x11\x33ended")
        assert peer.is_dropped()


def test_one_that_is_answered_ends_it_at_once(running: SocketServer) -> None:
    with running.open("/close") as peer:
        peer.send(frame(TEXT, b"m") * 10_000)
        assert peer.farewell() == Farewell(4403, "ended")
        began = time.monotonic()
        peer.send(frame(CLOSE, b"\x11\x33"))
        assert peer.is_dropped()
        assert time.monotonic() - began < 2
    running.begin_anew()


def test_so_does_one_behind_what_the_peer_does_not_read(sockets: SocketServer) -> None:
    with sockets.open("/pour", buffer=4096) as peer:
        [socket] = sockets.connections
        until(lambda: not socket.writable.is_set())
        peer.send(frame(CLOSE, b"\x03\xe8"))
        sockets.wait_until_nobody_is_connected()
    assert isinstance(sockets.last_end(), OSError)


def test_who_is_not_listened_to_any_more_cannot_stay(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        peer.send(frame(3))
        assert peer.farewell().code == 1002
        sockets.wait_until_nobody_is_connected()


@pytest.mark.parametrize(("path", "code"), [("/fail", 1011), ("/leave", 1000)])
def test_an_application_that_just_ends_closes_it(sockets: SocketServer, path: str, code: int) -> None:
    with sockets.open(path) as peer:
        assert peer.farewell() == Farewell(code, "")
        assert peer.is_dropped()
    assert ["LookupError" in line for line in sockets.begin_anew()] == ([True] if path == "/fail" else [])


def test_a_quiet_peer_is_asked_and_cut_off_when_it_stays_silent(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        assert peer.receive() == (PING, b"")
        assert peer.farewell() == Farewell(1011, "no answer to a ping")
        assert peer.is_dropped()


def test_whatever_it_says_is_an_answer(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        for reply in (frame(PONG), frame(TEXT, b"m")[:3], frame(TEXT, b"m")[3:]):
            while peer.receive() != (PING, b""):
                pass
            peer.send(reply)


def test_an_answer_counts_that_the_application_was_too_busy_to_read(sockets: SocketServer) -> None:
    with sockets.open("/work") as peer:
        peer.send(frame(TEXT, b"m"))
        [socket] = sockets.connections
        until(lambda: socket.read_paused)
        time.sleep(4 * QUIET)
        sockets.application.may_go_on.set()
        assert peer.receive() == (TEXT, b"m")


def test_a_peer_that_takes_nothing_is_cut_off_whatever_it_sends(sockets: SocketServer) -> None:
    with sockets.open("/pour", buffer=4096) as peer:
        while sockets.connections:
            peer.send(frame(PONG))
            time.sleep(QUIET / 2)
    assert isinstance(sockets.last_end(), OSError)


def test_a_call_in_flight_is_answered_when_the_server_stops(stopping: SocketServer) -> None:
    with stopping.open("/stop") as peer:
        peer.send(frame(TEXT, b"call"))
        stopping.tell_to_stop()
        assert stopping.application.is_stopping.wait(5)
        time.sleep(0.5)  # beyond the moment when uvicorn would close it
        stopping.application.may_go_on.set()
        assert peer.receive() == (TEXT, b"call")
        assert peer.receive() == (CLOSE, b"\x03\xf4")
        stopping.thread.join(5)
        assert not stopping.thread.is_alive()
    assert stopping.errors.lines == []


def test_nobody_is_let_in_while_it_stops(stopping: SocketServer) -> None:
    with stopping.open("/stop") as peer, connected(stopping.port) as late:
        peer.send(frame(TEXT, b"call"))
        stopping.server.take_leave()  # as when it has given notice, and still accepts connections
        late.sendall(handshake())
        answer = late.recv(65536)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert late.recv(1) == b""


def test_a_handshake_that_is_not_over_is_refused(stopping: SocketServer) -> None:
    with connected(stopping.port) as client:
        client.sendall(handshake("/hesitate"))
        assert stopping.application.is_called.wait(5)
        stopping.tell_to_stop()
        assert client.recv(65536).startswith(b"HTTP/1.1 503 ")
        stopping.application.may_go_on.set()
        stopping.thread.join(5)
    assert stopping.errors.lines == []


def test_what_is_still_open_when_its_time_is_over_is_closed(stopping: SocketServer) -> None:
    with stopping.open("/work") as peer:
        began = time.monotonic()
        stopping.tell_to_stop()
        assert peer.farewell() == Farewell(1012, "")
        stopping.thread.join(5)
        assert not stopping.thread.is_alive()
        assert time.monotonic() - began < 3
    assert not any("Traceback" in line for line in stopping.errors.lines)


def test_a_peer_that_does_not_answer_its_farewell_does_not_hold_the_server(stopping: SocketServer) -> None:
    with stopping.open("/close") as peer:
        assert peer.farewell().code == 4403
        began = time.monotonic()
        stopping.tell_to_stop()
        stopping.thread.join(5)
        assert time.monotonic() - began < 0.95  # so it was not the time to stop that ended it
    assert stopping.errors.lines == []
