"""Many at once: nothing is lost, doubled, or numbered twice."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from django.db import connections

from collab_app.exceptions import RoomExists, RoomNotFound, RoomRefused, StateConflict, TooMuch
from collab_app.models import Room
from sessions_app.models import User
from sessions_app.permissions import MEMBERS
from sessions_app.pool import with_fresh_connections
from tests.bounds import bounded
from tests.conftest import make_user


def at_once[T](jobs: list[partial[T]], threads: int = 4) -> list[T]:
    def run(job: partial[T]) -> T:
        try:
            return with_fresh_connections(job)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, jobs))


def increment(room_id: int, user: User) -> int:
    """As an agent counts. How often it had to look again."""
    room, tries = Room.objects.get(pk=room_id), 0
    while True:
        there = room.state.get("count")
        try:
            room.state.set("count", there.value + 1, user, expected_version=there.version)
        except StateConflict:
            tries += 1
        else:
            return tries


def test_no_increment_is_lost(room: Room, alice: User) -> None:
    room.state.set("count", 0, alice)
    at_once([partial(increment, room.pk, alice)] * 400)
    assert room.state.get("count").value == 400


def post(room_id: int, user: User, number: int) -> int:
    return Room.objects.get(pk=room_id).post(user, f"{number}", key=f"{number % 100}").sequence


def test_messages_have_one_number_each_and_none_is_left_out(room: Room, alice: User) -> None:
    """Each is sent twice, at about the same time."""
    jobs = [partial(post, room.pk, alice, number) for number in range(100) for _ in range(2)]
    assert sorted(at_once(jobs)) == sorted([*range(1, 101)] * 2)
    told = room.messages.after(0, 1000)
    assert [message.sequence for message in told] == list(range(1, 101))
    assert len({message.text for message in told}) == 100


def come_and_go(room_id: int, user: User) -> str:
    room = Room.objects.get(pk=room_id)
    try:
        room.join(user)
        room.leave(user)
    except RoomNotFound:
        return "closed"
    return "open"


def test_a_room_that_was_closed_while_others_came_has_nobody_in_it(alice: User, bob: User, dora: User) -> None:
    room = Room.objects.start(alice, "Design", "design")
    jobs = [partial(come_and_go, room.pk, user) for _ in range(10) for user in (alice, bob, dora)]
    at_once(jobs)
    room.refresh_from_db()
    assert not room.is_open
    assert not room.memberships.present().exists()


def start(user: User) -> str:
    try:
        Room.objects.start(user, "Design", "design")
    except RoomExists:
        return "refused"
    return "made"


def test_of_many_who_make_a_room_of_one_id_one_does(alice: User, bob: User) -> None:
    assert sorted(at_once([partial(start, user) for user in (alice, bob) * 8])) == ["made", *["refused"] * 15]


def test_an_account_is_deleted_while_its_rooms_change(db_for_threads: None) -> None:
    for number in range(5):
        owner, member = make_user(f"owner{number}", MEMBERS), make_user(f"member{number}", MEMBERS)
        rooms = [Room.objects.start(owner, "R", f"r{number}-{index}") for index in range(6)]
        for room in rooms:
            room.join(member)
        at_once([partial(delete, member), partial(remove_from_all, rooms[::-1], member, owner)])
        assert not User.objects.filter(pk=member.pk).exists()


def delete(user: User) -> None:
    User.objects.get(pk=user.pk).delete()


def remove_from_all(rooms: list[Room], user: User, by: User) -> None:
    for room in rooms:
        with suppress(RoomRefused):  # he was faster
            Room.objects.get(pk=room.pk).remove(user, by=by)


def test_nobody_is_in_more_rooms_than_he_may(alice: User) -> None:
    with bounded(rooms_of_one=3):
        at_once([partial(try_to_start, alice, f"r{number}") for number in range(24)])
    assert Room.objects.of(alice.pk).count() == 3


def try_to_start(user: User, public_id: str) -> None:
    with suppress(TooMuch):
        Room.objects.start(user, "R", public_id)
