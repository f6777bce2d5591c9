"""What one browser is told, however the readings of its room cross."""

import json
from typing import Any, cast

import pytest

from collab_app import live
from collab_app.follower import BEHIND, Follower
from collab_app.live import LiveRoom
from collab_app.room_view import RoomView
from sessions_app.principal import Principal
from sessions_app.transport.closing import Close
from sessions_app.transport.socket_carrier import SocketCarrier

ALICE = Principal(7, "alice", "browser", "alice", frozenset())


class Heard:
    """A browser that takes all at once."""

    def __init__(self) -> None:
        self.sequences: list[int] = []

    async def tell(self, frame: bytes) -> None:
        self.sequences += [message["sequence"] for message in json.loads(frame).get("messages", ())]


def view(after: int, last: int) -> RoomView:
    """As `view_of` reads a room in which so much was said."""
    said: list[dict[str, Any]] = [{"sequence": number} for number in range(after + 1, last + 1)]
    return RoomView(last, 0, said, [], [], [], [], frozenset([7]))


def follower(heard: Heard, sequence: int = 0) -> Follower:
    made = Follower(ALICE, cast(SocketCarrier, heard), lambda close: None)
    made.sequence, made.is_catching_up = sequence, False
    return made


async def test_an_older_view_says_nothing_again() -> None:
    heard = Heard()
    one = follower(heard)
    for last in (5, 3, 6):
        one.show(view(0, last))
    await one.taken()
    assert heard.sequences == [1, 2, 3, 4, 5, 6]
    await one.close()


async def test_who_comes_while_a_room_is_read_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """He has seen less than was asked for: that reading is not for him."""
    early, late = Heard(), Heard()
    room, newcomer = LiveRoom(1), follower(late, 7)

    class Reading:
        async def run(self, read: Any) -> RoomView:
            after: int = read.args[1]
            if newcomer not in room.followers:
                room.followers.add(newcomer)
                room.wake()
            return view(after, 12)

    monkeypatch.setattr(live, "rooms_pool", Reading())
    room.followers.add(first := follower(early, 10))
    room.wake()
    await newcomer.taken()
    await first.taken()
    assert (early.sequences, late.sequences) == ([11, 12], [8, 9, 10, 11, 12])
    for each in (first, newcomer):
        await each.close()


async def test_what_waits_for_a_browser_is_bounded_in_bytes() -> None:
    """Few frames may be large; one always fits, or nothing would ever be told."""
    ended: list[Close] = []
    slow = Follower(ALICE, cast(SocketCarrier, Heard()), ended.append)
    for size in (3 * 2**20, 1):
        slow.tell(b"x" * size)
    assert ended == [BEHIND]
    await slow.close()
