from itertools import count

import pytest

from sessions_app.exceptions import TooManySessions
from sessions_app.models import ApiKey, Session, User, session_queryset
from sessions_app.models.session_room import LOOKED_AT_FOR, Room


class Counted:
    """A look that is counted, and finds as much each time as it is told."""

    def __init__(self, *found: int) -> None:
        self._found = iter(found)
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return next(self._found)


def test_it_looks_once_for_all_who_find_room_within_a_second() -> None:
    room, look = Room(), Counted(3, 0)
    assert [room.take(look) for _ in range(3)] == [True] * 3
    assert look.looks == 1


def test_it_looks_again_when_what_it_found_is_used_up() -> None:
    room, look = Room(), Counted(1, 0, 0, 2)
    assert [room.take(look) for _ in range(4)] == [True, False, False, True]
    assert look.looks == 4


def test_it_looks_again_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(100.0, LOOKED_AT_FOR)
    monkeypatch.setattr("sessions_app.models.session_room.time.monotonic", lambda: next(clock))
    room, look = Room(), Counted(9, 0)
    assert [room.take(look) for _ in range(2)] == [True, False]


@pytest.mark.django_db
def test_no_session_is_opened_beyond_what_everybody_may_have(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = ApiKey.mint(alice, "laptop")[0].principal()
    monkeypatch.setattr(session_queryset, "MOST_IN_ALL", 3)
    details = {"transport": "http", "protocol_version": "2025-11-25"}
    opened = [Session.objects.open(caller, **details) for _ in range(3)]
    with pytest.raises(TooManySessions):
        Session.objects.open(caller, **details)
    opened[0].end("by the client")
    Session.objects.open(caller, **details)
