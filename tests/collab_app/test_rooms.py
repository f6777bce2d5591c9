"""Rooms and their members, as rows."""

import pytest
from django.utils import timezone

from collab_app.exceptions import RoomExists, RoomNotFound, RoomRefused, TooMuch
from collab_app.models import Attendance, Membership, Room
from collab_app.models.attendance import HERE, MOST_CLIENTS
from collab_app.rooms_of import invitations_of
from sessions_app.models import User
from tests.bounds import bounded


def names(room: Room) -> list[str]:
    present = room.memberships.present().select_related("user").order_by("joined_at", "pk")
    return [membership.user.username for membership in present]


def test_whoever_starts_a_room_owns_it(alice: User) -> None:
    room = Room.objects.start(alice, " Design ", "design")
    assert (room.public_id, room.name, room.creator, room.uri) == ("design", "Design", alice, "room://design")
    assert room.member(alice).is_owner


def test_a_room_without_an_id_gets_one_that_nobody_guesses(alice: User) -> None:
    first, second = (Room.objects.start(alice, "Design") for _ in range(2))
    assert first.public_id != second.public_id
    assert len(first.public_id) == 20


def test_an_open_room_s_id_is_refused_and_nothing_of_it_is_overwritten(room: Room, bob: User) -> None:
    with pytest.raises(RoomExists):
        Room.objects.start(bob, "Mine now", "design")
    assert Room.objects.get().name == "Design"


@pytest.mark.parametrize("public_id", ["-a", ".", "a b", "a/b", "ä", "a" * 65, "a\n", "a%2F"])
def test_what_is_no_id_is_refused(alice: User, public_id: str) -> None:
    with pytest.raises(RoomRefused, match="letters, digits"):
        Room.objects.start(alice, "Design", public_id)


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\x00"])
def test_what_is_no_name_is_refused(alice: User, name: str) -> None:
    with pytest.raises(RoomRefused):
        Room.objects.start(alice, name)


def test_joining_again_changes_nothing(room: Room, bob: User) -> None:
    revision = room.revision
    room.join(bob)
    assert names(room) == ["alice", "bob"]
    assert Room.objects.get().revision == revision


def test_the_last_who_leaves_closes_the_room_and_frees_its_id(room: Room, alice: User, bob: User) -> None:
    room.post(alice, "Hello")
    room.leave(alice)
    room.leave(bob)
    assert not Room.objects.get().is_open
    with pytest.raises(RoomNotFound):
        Room.objects.open_by_id("design")
    again = Room.objects.start(alice, "Design", "design")
    assert (again.last_sequence, again.messages.count(), names(again)) == (0, 0, ["alice"])
    assert room.messages.count() == 1, "kept for history"


def test_an_owner_s_place_passes_to_who_is_in_for_longest(room: Room, alice: User, bob: User, dora: User) -> None:
    room.join(dora)
    room.leave(alice)
    assert room.member(bob).is_owner
    assert not room.member(dora).is_owner


def test_whoever_left_is_nobody_to_the_room(room: Room, bob: User) -> None:
    room.leave(bob)
    for act in (room.leave, room.member, lambda user: room.post(user, "Hello")):
        with pytest.raises(RoomNotFound):
            act(bob)


def test_a_room_by_invitation_is_unknown_to_who_has_none(alice: User, bob: User, dora: User) -> None:
    room = Room.objects.start(alice, "Board", "board", by_invitation=True)
    with pytest.raises(RoomNotFound):
        room.join(bob)
    room.invite(bob, by=alice)
    assert list(Room.objects.inviting(bob.pk)) == [room]
    assert list(Room.objects.of(bob.pk)) == []
    room.join(bob)
    assert list(Room.objects.inviting(bob.pk)) == []
    room.invite(dora, by=bob)
    room.leave(dora)
    with pytest.raises(RoomNotFound):  # declined
        room.join(dora)


def test_only_members_invite(room: Room, charlie: User, dora: User) -> None:
    with pytest.raises(RoomNotFound):
        room.invite(charlie, by=dora)


def test_whoever_was_removed_comes_back_only_by_an_invitation(room: Room, alice: User, bob: User) -> None:
    room.remove(bob, by=alice)
    with pytest.raises(RoomNotFound):
        room.join(bob)
    room.invite(bob, by=alice)
    room.join(bob)
    assert names(room) == ["alice", "bob"]


def test_only_an_owner_removes_somebody(room: Room, alice: User, bob: User, dora: User) -> None:
    with pytest.raises(RoomRefused, match="owner"):
        room.remove(alice, by=bob)
    with pytest.raises(RoomRefused, match="dora is not in the room"):
        room.remove(dora, by=alice)


def test_a_room_has_only_so_many_places(room: Room, alice: User, charlie: User, dora: User) -> None:
    with bounded(room_members=3):
        room.invite(dora, by=alice)
        with pytest.raises(TooMuch, match="room-members: 3"):
            room.join(charlie)
        room.join(dora)  # an invitation has a place already


def test_a_user_is_in_only_so_many_rooms(room: Room, alice: User, dora: User) -> None:
    with bounded(rooms_of_one=1):
        with pytest.raises(TooMuch, match="rooms-of-one: 1"):
            Room.objects.start(alice, "Another")
        Room.objects.start(dora, "Another", "other").invite(alice, by=dora)
        with pytest.raises(TooMuch, match="rooms-of-one: 1"):
            Room.objects.open_by_id("other").join(alice)


def test_a_closed_room_is_nobody_s_any_more(room: Room, alice: User) -> None:
    stale = Room.objects.get()
    assert room.close()
    assert not stale.close()
    for act in (stale.join, stale.leave, lambda user: stale.post(user, "Hello")):
        with pytest.raises(RoomNotFound):
            act(alice)
    assert not Room.objects.of(alice.pk).exists()


def test_a_deleted_user_leaves_his_rooms_and_his_words(room: Room, alice: User, bob: User) -> None:
    own = Room.objects.start(alice, "Own", "own")
    room.post(alice, "Hello")
    room.state.set("plan", 1, alice)
    alice.delete()
    assert names(room) == ["bob"]
    assert room.member(bob).is_owner
    own.refresh_from_db()
    assert not own.is_open
    [message] = room.messages.after(0, 10)
    assert (message.text, message.author, message.author_name) == ("Hello", None, "a former user")
    assert room.state.get("plan").changer_name == "a former user"


def test_a_new_member_has_read_what_was_said_before(room: Room, alice: User, dora: User) -> None:
    room.post(alice, "Hello")
    assert room.join(dora).last_read == 1
    assert room.member(alice).last_read == 1, "his own words"
    room.post(alice, "Are you there?")
    room.refresh_from_db()
    room.read(dora, 99)
    assert room.member(dora).last_read == 2, "never beyond what is there"
    room.read(dora, 1)
    assert room.member(dora).last_read == 2, "never back"


def test_whoever_was_seen_lately_is_here(room: Room, alice: User, bob: User) -> None:
    room.attend(alice)
    room.attend(bob, "Claude\nCode")
    Attendance.objects.filter(user=alice).update(seen_at=timezone.now() - HERE)
    assert [each.client for each in Attendance.objects.here()] == ["Claude\\nCode"]
    for number in range(MOST_CLIENTS + 3):
        room.attend(bob, f"client {number}")
    assert Attendance.objects.filter(user=bob).count() == MOST_CLIENTS


def test_the_roles_are_those_that_are_shown(room: Room, alice: User, dora: User) -> None:
    room.invite(dora, by=alice)
    shown = [membership.as_dict() for membership in Membership.objects.order_by("pk")]
    assert [each["role"] for each in shown] == ["owner", "member", "invited"]


def test_whoever_was_deactivated_is_removed_like_anybody(room: Room, alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    room.remove(room.member_called("bob"), by=alice)
    assert names(room) == ["alice"]
    with pytest.raises(RoomRefused, match="bob is not in the room"):
        room.member_called("bob")


def test_a_room_passes_to_who_may_act_in_it(room: Room, alice: User, bob: User, charlie: User, dora: User) -> None:
    room.join(charlie)  # who may use no rooms
    room.join(dora)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    room.leave(alice)
    assert room.member(dora).is_owner


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "\x1b[2K", "\u200b", "\u2028"])
def test_a_name_can_be_seen_and_does_not_act(alice: User, name: str) -> None:
    with pytest.raises(RoomRefused, match="name"):
        Room.objects.start(alice, name)


def test_the_newest_invitations_are_listed_first(alice: User, bob: User) -> None:
    for number in range(60):
        Room.objects.start(alice, "R", f"r{number:02}", by_invitation=True).invite(bob, by=alice)
    assert [each["id"] for each in invitations_of(bob.pk)] == [f"r{number:02}" for number in range(59, 9, -1)]
