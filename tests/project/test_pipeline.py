"""Requests that come before those ahead of them are answered; and what comes there that is no request."""

import socket
import struct
import time

import pytest

from tests.frames import connected
from tests.process import until

from .sockets import SocketServer

REQUEST = b"GET /answer HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RESET = struct.pack("ii", 1, 0)
DATA_SEGMENTS_IN = 152
"""Where Linux has them in `struct tcp_info`."""


def all_of(client: socket.socket) -> bytes:
    """Until the server closes it."""
    data = b""
    try:
        while more := client.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


@pytest.mark.parametrize("requests", [1, 2, 5])
def test_who_leaves_before_the_answers_is_not_written_to(sockets: SocketServer, requests: int) -> None:
    client = connected(sockets.port)
    client.sendall(REQUEST * requests)
    assert sockets.application.is_called.wait(5)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()
    sockets.application.may_go_on.set()
    sockets.last_end()
    sockets.wait_until_nobody_is_connected()  # and the fixture looks for errors


def test_requests_are_answered_in_their_order(sockets: SocketServer) -> None:
    sockets.application.may_go_on.set()
    with connected(sockets.port) as client:
        client.sendall(REQUEST * 3 + REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert all_of(client).count(b"HTTP/1.1 200 OK\r\n") == 4
    assert sockets.application.ends == ["answered"] * 4


@pytest.mark.parametrize("requests", [1, 2])
def test_what_is_no_request_is_not_answered_before_the_request_ahead_of_it(
    sockets: SocketServer, requests: int
) -> None:
    with connected(sockets.port) as client:
        client.sendall(REQUEST * requests + b"\x00 is no HTTP\r\n\r\n")
        assert all_of(client) == b""
    sockets.application.may_go_on.set()
    until(lambda: bool(sockets.application.ends), seconds=5)


def test_what_is_no_request_is_told_so_when_nothing_else_is_to_come(sockets: SocketServer) -> None:
    sockets.application.may_go_on.set()
    with connected(sockets.port) as client:
        client.sendall(REQUEST)
        until(lambda: bool(sockets.application.ends), seconds=5)
        client.sendall(b"\x00 is no HTTP\r\n\r\n")
        answers = all_of(client)
    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 400 Bad Request\r\n" in answers


def test_a_request_that_turns_out_to_be_none_is_told_so(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(b"POST /http HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        assert sockets.application.is_called.wait(5)
        client.sendall(b"not a size\r\n")
        assert all_of(client).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert sockets.last_end() == {"type": "http.disconnect"}


def test_an_answer_arrives_in_one_packet(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        for _ in range(50):
            client.sendall(REQUEST.replace(b"/answer", b"/reply"))
            assert client.recv(65536).endswith(b"\r\n\r\nok")
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, DATA_SEGMENTS_IN + 4)
        assert struct.unpack_from("I", info, DATA_SEGMENTS_IN) == (50,)


def test_a_head_that_nothing_follows_for_a_time_goes_out(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(REQUEST.replace(b"/answer", b"/begin"))
        assert client.recv(65536).endswith(b"\r\n\r\n")
        sockets.application.may_go_on.set()
        assert client.recv(65536) == b"done"


def test_an_answer_without_a_body_is_not_lost_to_a_stop_at_that_moment(sockets: SocketServer) -> None:
    def stop() -> None:
        for connection in tuple(sockets.server.server_state.connections):
            connection.shutdown()

    sockets.application.then = stop
    with connected(sockets.port) as client:
        client.sendall(REQUEST.replace(b"GET /answer", b"HEAD /reply"))
        assert all_of(client).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_head_is_not_written_to_who_is_cut_off_at_that_moment(sockets: SocketServer) -> None:
    def cut_off() -> None:
        for connection in tuple(sockets.server.server_state.connections):
            connection.transport.abort()

    sockets.application.then = cut_off
    with connected(sockets.port) as client:
        client.sendall(REQUEST.replace(b"/answer", b"/begin"))
        assert all_of(client) == b""
    sockets.application.may_go_on.set()
    sockets.wait_until_nobody_is_connected()  # and the fixture looks for errors


def test_the_last_of_a_stream_is_waited_for_where_it_is_large(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(REQUEST.replace(b"/answer", b"/last"))
        assert sockets.application.is_called.wait(5)
        time.sleep(0.1)
        assert not sockets.application.ends
        while not sockets.application.ends:
            assert client.recv(2**20)


def test_who_is_to_go_on_is_told_before_the_answer(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(b"POST /http HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_who_is_hung_up_on_is_gone_at_once_with_what_was_not_read(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(REQUEST.replace(b"/answer", b"/drop"))
        assert sockets.last_end() == {"type": "http.disconnect"}
        sockets.wait_until_nobody_is_connected()
