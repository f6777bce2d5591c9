"""What one WebSocket may send: how many frames, how large, how well-formed; and what it is told beyond that."""

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from project.server import LARGEST_MESSAGE
from project.wire.reading import MOST_CONTROLS, MOST_FRAGMENTS, SLICE
from sessions_app.transport import guard
from tests.frames import BINARY, CLOSE, CONT, FIN, PING, PONG, RSV1, TEXT, Farewell, fragments, frame
from tests.process import until

from .sockets import SocketServer

GIB = 2**30
FRAGMENTS = "a message has at most 256 fragments"
CONTROLS = "too many pings and pongs"


def test_a_message_in_many_fragments_is_one(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        peer.send(fragments(MOST_FRAGMENTS), frame(TEXT, "ä€".encode()), frame(BINARY, b"\xff"))
        assert [peer.receive() for _ in range(3)] == [
            (TEXT, b"a" * MOST_FRAGMENTS), (TEXT, "ä€".encode()), (BINARY, b"\xff"),
        ]  # fmt: skip


def test_a_character_may_be_split_between_fragments(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        peer.send(frame(TEXT, b"\xe2\x82", flags=0), frame(PING, b"?"), frame(CONT, b"\xac"))
        assert [peer.receive(), peer.receive()] == [(PONG, b"?"), (TEXT, "€".encode())]


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        pytest.param(fragments(MOST_FRAGMENTS + 1), 1008, FRAGMENTS, id="a fragment more"),
        pytest.param(fragments(200_000), 1008, FRAGMENTS, id="a bomb of fragments"),
        pytest.param(frame(TEXT, flags=0) + frame(CONT, flags=0) * 999, 1008, FRAGMENTS, id="empty fragments"),
        pytest.param(frame(PING) * (MOST_CONTROLS + 9), 1008, CONTROLS, id="pings"),
        pytest.param(frame(PING, b"a" * 125) * 100_000, 1008, CONTROLS, id="a flood of pings"),
        pytest.param(frame(PONG) * 100_000, 1008, CONTROLS, id="a flood of pongs"),
        pytest.param(frame(TEXT, b"\xff"), 1007, "a text message is UTF-8", id="not UTF-8"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, "a text message is UTF-8", id="a surrogate"),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, "", id="a reason that is not UTF-8"),
        pytest.param(frame(3), 1002, "", id="no such frame"),
        pytest.param(frame(TEXT, flags=FIN | RSV1), 1002, "", id="compressed"),
        pytest.param(b"\x81\x01a", 1002, "", id="not masked"),
        pytest.param(frame(CONT), 1002, "", id="nothing to continue"),
        pytest.param(frame(TEXT, flags=0) + frame(TEXT), 1002, "", id="not continued"),
        pytest.param(frame(PING, b"a" * 126), 1002, "", id="a long ping"),
        pytest.param(frame(PING, flags=0), 1002, "", id="a ping in fragments"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, "", id="half a close code"),
        pytest.param(frame(CLOSE, b"\x03\xed"), 1002, "", id="a close code that is not sent"),
        pytest.param(frame(TEXT, length=GIB), 1009, "", id="a GiB declared"),
        pytest.param(frame(TEXT, length=2**64 - 1), 1009, "", id="as much as can be declared"),
        pytest.param(frame(TEXT, b"a" * (LARGEST_MESSAGE + 1)), 1009, "", id="a byte more"),
        pytest.param(fragments(3, b"a" * 2**17), 1009, "", id="too large in sum"),
    ],
)
def test_it_is_told_why_and_not_listened_to_any_more(
    sockets: SocketServer, sent: bytes, code: int, reason: str
) -> None:
    with sockets.open() as peer:
        peer.send(sent)
        farewell = peer.farewell()
        assert farewell.code == code
        assert reason in farewell.reason
        peer.send(frame(TEXT, b"still there?"))
        assert peer.is_dropped()
    assert sockets.last_end() == {"type": "websocket.disconnect", "code": code, "reason": farewell.reason}


def test_what_came_before_is_received_first(sockets: SocketServer) -> None:
    with sockets.open("/work") as peer:
        peer.send(frame(TEXT, b"first"), frame(3))
        assert peer.farewell().code == 1002
        sockets.application.may_go_on.set()
    assert isinstance(sockets.last_end(), OSError)  # of the answer, which found nobody


def test_who_counts_while_it_arrives_and_who_counts_after_agree() -> None:
    assert LARGEST_MESSAGE == guard.LARGEST_MESSAGE


def test_the_largest_message_arrives(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        for size in (LARGEST_MESSAGE, 0, LARGEST_MESSAGE - 1):
            peer.send(frame(TEXT, b"a" * size))
            assert peer.receive() == (TEXT, b"a" * size)


@pytest.mark.parametrize("size", [LARGEST_MESSAGE + 1, 16 * 2**20])
def test_a_client_that_is_still_sending_learns_that_its_message_is_too_large(
    sockets: SocketServer, size: int
) -> None:
    with connect(f"ws://127.0.0.1:{sockets.port}/echo", compression=None, max_size=None) as client:
        with pytest.raises(ConnectionClosedError) as closed:
            ask(client, "a" * size)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def ask(client: ClientConnection, text: str) -> None:
    client.send(text)
    client.recv()


def test_a_peer_may_ping_as_often_as_it_is_told(sockets: SocketServer) -> None:
    with sockets.open() as peer:
        peer.send(*(frame(PING, bytes([number])) for number in range(MOST_CONTROLS)))
        assert [peer.receive() for _ in range(MOST_CONTROLS)] == [(PONG, bytes([n])) for n in range(MOST_CONTROLS)]
        peer.send(frame(CLOSE, b"\x03\xe8"))
        assert peer.farewell() == Farewell(1000, "")


def test_many_small_messages_are_parsed_a_slice_at_a_time_and_in_order(sockets: SocketServer) -> None:
    texts = [str(number).encode() for number in range(10_000)]
    with sockets.open("/work") as peer:
        peer.send(*(frame(TEXT, text) for text in texts))
        [socket] = sockets.connections
        until(lambda: socket.queue.qsize() > 0)
        assert socket.queue.qsize() <= SLICE // len(frame(TEXT, b"0"))
        sockets.application.may_go_on.set()
        assert [peer.receive() for _ in texts] == [(TEXT, text) for text in texts]


def test_a_peer_that_pings_and_does_not_read_is_cut_off(
    sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("project.wire.reading.MOST_CONTROLS", 100_000)
    with sockets.open("/pour", buffer=4096) as peer:
        [socket] = sockets.connections
        until(lambda: not socket.writable.is_set())
        socket._controls_left = 100_000
        peer.send(frame(PING, b"a" * 125) * 1000)
        sockets.wait_until_nobody_is_connected()
    assert isinstance(sockets.last_end(), OSError)
