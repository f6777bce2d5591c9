"""Requests that come before those ahead of them are answered; and what comes there that is no request."""

import socket
import struct

import pytest

from tests.frames import connected
from tests.process import until

from .sockets import SocketServer

REQUEST = b"GET /answer HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


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
