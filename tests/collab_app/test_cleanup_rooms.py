"""`manage.py cleanup` and rooms: what nobody needs any more is closed, and what was closed long ago goes."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from collab_app import cleanup
from collab_app.models import Attendance, Membership, Message, Room, SharedState
from sessions_app import chores
from sessions_app.chores import Chore
from sessions_app.models import User
from tests.bounds import bounded
from tests.collab_app.rooms import DAY, ago, past

MINUTE = timedelta(minutes=1)
PARTS: tuple[Any, ...] = (Message, SharedState, Membership, Attendance)


def run(*arguments: str) -> dict[str, int]:
    """What was printed of each chore that had something to do."""
    out = StringIO()
    call_command("cleanup", *arguments, stdout=out)
    lines = [line.split(": ") for line in out.getvalue().splitlines() if ": " in line]
    return {name: int(count) for name, count in lines if count != "0"}


def test_a_room_that_is_used_stays_as_it_is(room: Room, alice: User) -> None:
    room.post(alice, "Hello")
    room.state.set("plan", 1, alice)
    room.attend(alice)
    before = [list(model._base_manager.order_by("pk").values()) for model in (Room, *PARTS)]
    assert run() == {}
    assert [list(model._base_manager.order_by("pk").values()) for model in (Room, *PARTS)] == before


def test_a_room_with_nobody_in_it_is_closed(room: Room, alice: User, dora: User) -> None:
    room.invite(dora, alice)
    room.memberships.present().delete()  # as nothing of ours does
    assert run("--dry-run") == run() == {"rooms with nobody in them, now closed": 1}
    room.refresh_from_db()
    assert not room.is_open
    assert not room.memberships.counted().exists()


def test_a_room_that_somebody_just_joined_is_not_closed_after_all(
    room: Room, dora: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL looks for members as they were when it began to wait for the lock."""
    room.memberships.present().delete()
    room.join(dora)
    cleanup.close_empty(Room.objects.filter(pk=room.pk))
    room.refresh_from_db()
    assert room.is_open


def test_a_room_in_which_nothing_happens_is_closed(room: Room, alice: User) -> None:
    other = Room.objects.start(alice, "Other")
    for row, days in ((room, 91), (other, 89)):
        Room.objects.filter(pk=row.pk).update(active_at=ago(days * DAY))
    assert run("--dry-run") == run() == {"idle rooms, now closed": 1}
    assert list(Room.objects.open()) == [other]
    with bounded(room_idle_days=30):
        assert run() == {"idle rooms, now closed": 1}


def test_what_was_closed_long_ago_goes_with_all_that_was_in_it(room: Room, alice: User) -> None:
    past(alice)
    kept = past(alice, "lately")
    Room.objects.filter(pk=kept.pk).update(closed_at=ago(89 * DAY))
    kept.attendances.update(seen_at=ago(MINUTE))
    expected = {
        "messages of rooms that were closed long ago": 1,
        "shared state of rooms that were closed long ago": 1,
        "memberships of rooms that were closed long ago": 1,
        "who was seen in a room, a day later": 1,
        "rooms that were closed long ago": 1,
    }
    assert run("--dry-run") == run() == expected
    assert set(Room.objects.all()) == {room, kept}
    for model in PARTS:
        assert model._default_manager.filter(room=kept).count() == 1, model
    with bounded(room_history_days=30):
        run()
    assert list(Room.objects.all()) == [room]


def test_who_was_seen_is_forgotten_after_a_day(room: Room, alice: User, bob: User) -> None:
    room.attend(alice)
    room.attend(bob, "Claude Code")
    room.attendances.filter(user=alice).update(seen_at=ago(DAY + MINUTE))
    room.attendances.filter(user=bob).update(seen_at=ago(DAY - MINUTE))
    assert run() == {"who was seen in a room, a day later": 1}
    assert Attendance.objects.get().user == bob


def test_no_transaction_is_for_more_rows_than_a_batch(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "BATCH", 10)
    room = past(alice)
    Message.objects.bulk_create(
        Message(room=room, sequence=sequence, author=alice, text="x") for sequence in range(2, 27)
    )
    sizes = []

    def note(rows: Any) -> None:
        assert connection.in_atomic_block
        sizes.append(rows.count())
        rows.delete()

    assert Chore("", cleanup.old_messages, note).run() == 26
    assert max(sizes) <= 10
    assert not Message.objects.exists()
    assert Room.objects.exists()


def test_many_rooms_are_closed_in_batches(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "BATCH", 10)
    with bounded(rooms_of_one=30):
        for number in range(11):
            Room.objects.start(alice, "Idle", f"idle-{number}")
    Room.objects.update(active_at=ago(91 * DAY))
    assert run() == {"idle rooms, now closed": 11}
    assert not Room.objects.open().exists()
    assert not Membership.objects.present().exists()
