"""What answers a client that opens a WebSocket, well or badly: never a 5xx, never silence, never a traceback."""

import re

import pytest

from tests.frames import HANDSHAKE, PING, PONG, TEXT, connected, frame, handshake
from tests.process import until

from .sockets import SocketServer

SECRET = "cgt_secret"
KEY = f"Sec-WebSocket-Key: {HANDSHAKE['Sec-WebSocket-Key']}"
CHUNK = b"5\r\nhello\r\n0\r\n\r\n"


def answer_to(sockets: SocketServer, *sent: bytes) -> tuple[int, str]:
    """The status, 0 if there is none, and all that came until the server closed."""
    with connected(sockets.port) as client:
        client.sendall(b"".join(sent))
        answer = b""
        while data := client.recv(65536):
            answer += data
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found is not None else 0, answer.decode("latin-1")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(handshake(Sec_WebSocket_Key=None), 400, id="no key"),
        pytest.param(handshake(Sec_WebSocket_Key=""), 400, id="an empty key"),
        pytest.param(handshake(Sec_WebSocket_Key=SECRET), 400, id="a key that is none"),
        pytest.param(handshake(Sec_WebSocket_Key="\xff\xe4"), 400, id="a key that is not ASCII"),
        pytest.param(handshake(Sec_WebSocket_Key="c2hvcnQ="), 400, id="a short key"),
        pytest.param(handshake("/echo", KEY), 400, id="two keys"),
        pytest.param(handshake(Sec_WebSocket_Version=None), 400, id="no version"),
        pytest.param(handshake(Sec_WebSocket_Version="8"), 400, id="an old version"),
        pytest.param(handshake("/echo", "Sec-WebSocket-Version: 13"), 400, id="two versions"),
        pytest.param(handshake("/echo", "Origin: http://a", "Origin: http://b"), 400, id="two origins"),
        pytest.param(handshake(Sec_WebSocket_Protocol=f"mcp,, {SECRET};"), 400, id="malformed subprotocols"),
        pytest.param(handshake(Sec_WebSocket_Protocol=""), 400, id="empty subprotocols"),
        pytest.param(handshake(Connection="Upgrade, @@ ;;"), 400, id="a malformed Connection"),
        pytest.param(handshake("/echo", "Upgrade: websocket"), 426, id="two upgrades"),
        pytest.param(handshake(start="POST {} HTTP/1.1"), 405, id="POST"),
        pytest.param(handshake(start="HEAD {} HTTP/1.1"), 405, id="HEAD"),
        pytest.param(handshake(start="CONNECT {} HTTP/1.1"), 405, id="CONNECT"),
        pytest.param(handshake(start="BREW {} HTTP/1.1"), 400, id="no such method"),
        pytest.param(handshake(start="GET {} HTTP/1.0"), 400, id="HTTP/1.0"),
        pytest.param(handshake(start="GET {} HTTP/2.0"), 400, id="HTTP/2.0"),
        pytest.param(handshake("/echo", "Content-Length: 5") + b"hello", 400, id="a body"),
        pytest.param(handshake("/echo", "Transfer-Encoding: chunked") + CHUNK, 400, id="a body in chunks"),
        pytest.param(handshake("/echo", f"X-A: {'a' * 9000}"), 431, id="a header of 9 KiB"),
        pytest.param(handshake("/echo", f"X-A: {'a' * 2**20}"), 431, id="a header of a MiB"),
        pytest.param(handshake("/echo", *["X-A: a"] * 200), 431, id="200 headers"),
        pytest.param(handshake("/" + "a" * 9000), 414, id="a path of 9 KiB"),
        pytest.param(handshake("/echo", "X-\xe4: a"), 400, id="a name that is not ASCII"),
        pytest.param(handshake("/echo", "X-A: a\r\n b"), 400, id="a folded header"),
        pytest.param(handshake("/echo", "X-A: \x00"), 400, id="a NUL"),
        pytest.param(handshake("/echo", ": a"), 400, id="a header without a name"),
        pytest.param(handshake().replace(b"\r\n", b"\n"), 400, id="bare newlines"),
        pytest.param(handshake("/\xe4"), 400, id="a path that is not ASCII"),
    ],
)
def test_a_malformed_handshake_is_answered_and_not_repeated(
    sockets: SocketServer, sent: bytes, status: int
) -> None:
    answered, text = answer_to(sockets, sent)
    assert answered == status
    assert SECRET not in text
    assert "connection: close" in text.lower()


def test_it_names_the_header_and_the_version_that_it_speaks(sockets: SocketServer) -> None:
    _, text = answer_to(sockets, handshake(Sec_WebSocket_Version="8"))
    assert "\r\nSec-WebSocket-Version: 13\r\n" in text
    assert text.endswith("\r\n\r\nThe Sec-WebSocket-Version header is missing or malformed.\n")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(handshake(Connection="keep-alive, Upgrade"), id="one of several connection options"),
        pytest.param(handshake(Upgrade="WebSocket"), id="in capitals"),
        pytest.param(handshake("/echo", "X-A: \xe4"), id="a value that is not ASCII"),
        pytest.param(handshake("/echo", "Content-Length: 0"), id="an empty body"),
        pytest.param(handshake("/echo", "Sec-WebSocket-Extensions: permessage-deflate; =;;"), id="extensions"),
        pytest.param(handshake("/echo", *["X-A: a"] * 100), id="100 headers"),
    ],
)
def test_what_is_only_unusual_is_accepted_without_extensions(sockets: SocketServer, sent: bytes) -> None:
    with connected(sockets.port) as client:
        client.sendall(sent)
        head = client.recv(65536)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"extensions" not in head.lower()


def test_the_application_may_refuse_in_its_own_words(sockets: SocketServer) -> None:
    status, text = answer_to(sockets, handshake("/refuse"))
    assert (status, text[-6:]) == (401, "\r\n\r\n{}")
    assert "x-why: key\r\n" in text


def test_frames_that_come_early_are_answered_after_the_handshake(sockets: SocketServer) -> None:
    with connected(sockets.port) as client:
        client.sendall(handshake("/hesitate"))
        assert sockets.application.is_called.wait(5)
        client.sendall(frame(PING, b"?") + frame(TEXT, b"early") + frame(3))
        sockets.application.may_go_on.set()
        answer = b""
        while data := client.recv(65536):
            answer += data
    head, _, frames = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert frames[:3] == bytes([0x80 | PONG, 1]) + b"?"
    assert b"\x03\xea" in frames  # 1002


def test_it_is_not_opened_behind_a_request_that_waits_for_its_answer(sockets: SocketServer) -> None:
    request = b"GET /http HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert answer_to(sockets, request, handshake()) == (0, "")
    until(lambda: bool(sockets.application.ends))
    assert sockets.last_end() == {"type": "http.disconnect"}
