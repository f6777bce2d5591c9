"""Handshakes and frames of WebSockets."""

from dataclasses import dataclass
from typing import Any

from tests.failure.chance import Chance
from tests.frames import CONT, FIN, MASK, PING, RSV1, TEXT, frame, handshake

from .given import Given
from .messages import message_of
from .raw import LINES


@dataclass
class Opening:
    """A socket's handshake; None for one that is valid and left as it is, and so may serve several inputs."""

    is_room: bool
    is_changed: bool
    data: bytes


def opening(chance: Chance, given: Given, *, is_changed: bool) -> Opening:
    is_room = chance.one_in(3)
    if is_room:
        path, who = f"/ws/rooms/{given.rooms[0]}", (
            f"Cookie: sessionid={chance.choice(given.cookies[:-1])}", f"Origin: http://{given.host}",
        )  # fmt: skip
    else:
        path, who = "/ws/mcp", (f"Authorization: Bearer {given.key(chance)}", "Sec-WebSocket-Protocol: mcp")
    data = handshake(path, *who, Host=given.host)
    if is_changed:
        head, *lines = data[:-4].split(b"\r\n")
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(LINES + WEBSOCKET_LINES))
        data = b"\r\n".join([head, *lines, b"", b""])
        data = chance.damaged(data, 3) if chance.one_in(2) else data
    return Opening(is_room, is_changed, data)


WEBSOCKET_LINES = (
    b"Sec-WebSocket-Version: 8", b"Sec-WebSocket-Version: 13, 8", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Key:",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99", b"Sec-WebSocket-Extensions: ;;;",
    b"Sec-WebSocket-Protocol: mcp, mcp", b"Sec-WebSocket-Protocol: ,", b"Sec-WebSocket-Protocol: \xff",
    b"Origin: null",
    b"Content-Length: 5", b"Connection: close", b"Cookie: sessionid=\x00", b"Authorization: Bearer x",
)  # fmt: skip


def frames(chance: Chance, given: Given, is_room: bool) -> bytes:
    """A frame, or a few."""
    kind = chance.randrange(12)
    if kind < 8:
        return said(chance, given, is_room)
    payload = chance.choice(
        (b"", b"{}", b"\xff", b"a" * 126, b"\x03\xe8", b"\x03\xed", b"\xff\xff\xff", b"\x00", b"x" * 70_000)
    )
    if kind == 8:
        opcode, flags = chance.randrange(16), chance.choice((FIN, 0, FIN | RSV1, FIN | 0x20, RSV1))
        length = chance.choice((None, None, 0, 125, 126, 2**16, 2**31, 2**63 - 1, 2**63))
        return frame(opcode, payload, flags=flags, length=length)
    if kind == 9:
        text = said(chance, given, is_room)
        return frame(TEXT, payload, flags=0) + chance.choice((frame(PING, b"x"), b"", text)) + frame(CONT, payload)
    if kind == 10:
        code = chance.choice((0, 1, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000, 65535))
        return frame(8, code.to_bytes(2) + chance.choice((b"", b"bye", b"\xff\xfe", b"x" * 124)))
    return chance.damaged(said(chance, given, is_room), 3)


def said(chance: Chance, given: Given, is_room: bool) -> bytes:
    """A message, in a frame that is as it should be, but for its mask now and then."""
    content = asked_in_room(chance) if is_room else message_of(chance, given, chance.one_in(2))
    data = frame(TEXT, chance.written(content))
    if chance.one_in(30):
        data = bytes([data[0], data[1] & 0x7F]) + data[2:].replace(MASK, b"", 1)
    return data


DOES = ("follow", "post", "set", "remove", "invite", "put-out", "read", "earlier")


def asked_in_room(chance: Chance) -> Any:
    do = chance.choice(DOES)
    every: dict[str, dict[str, Any]] = {
        "follow": {"after": chance.choice((None, 0, 1))},
        "post": {"text": chance.text("hello"), "key": chance.text("")},
        "set": {"key": chance.text("plan"), "value": chance.value(), "version": chance.choice((None, 0, 1))},
        "remove": {"key": chance.text("plan")},
        "invite": {"username": chance.text("member1", "never")},
        "put-out": {"username": chance.text("never")},
        "read": {"sequence": chance.choice((0, 1, 2**53))},
        "earlier": {"before": chance.choice((0, 1, 2**63 - 1))},
    }
    more = every[do]
    content = {"do": do, **more} if do == "follow" else {"id": chance.randrange(9), "do": do, **more}
    return content if chance.one_in(4) else chance.changed(content)
