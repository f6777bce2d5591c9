"""Rooms in the admin: looked at, closed, their members removed, taken out as a file; and nothing of it edited."""

import json
import logging
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collab_app.models import Membership, Message, Room
from sessions_app.admin.part import FirstOnes
from sessions_app.models import User
from tests.collab_app.rooms import DAY, ago, canary, full_of_canaries, past
from tests.control_room import (
    ControlRoom,
    column,
    deletion_of,
    form_for,
    history_of,
    list_of,
    make_staff,
    make_superuser,
    page_of,
)

pytestmark = pytest.mark.alike

MODERATOR = "^(view|change)_(room|membership|message|sharedstate)$"


@pytest.fixture
def operator(db_for_threads: None) -> User:
    return make_superuser()


@pytest.fixture
def control(operator: User) -> ControlRoom:
    return ControlRoom(operator)


@pytest.fixture
def moderator(db_for_threads: None) -> ControlRoom:
    """Staff who may do to rooms what can be done, and whose reach is that of members."""
    return ControlRoom(make_staff("moderator", "Members", may=MODERATOR))


def listed(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r"/collab_app/room/([0-9]+)/change/", page.partition("result_list")[2])]


def said(control: ControlRoom, obj: Any) -> list[str]:
    """What the history of `obj` says, the latest last."""
    entries = LogEntry.objects.filter(object_id=str(obj.pk), content_type__model=type(obj)._meta.model_name)
    return [entry.get_change_message() for entry in entries.order_by("pk")]


# --- Looking ---


def test_the_list_says_what_there_is(control: ControlRoom, room: Room, alice: User) -> None:
    room.post(alice, "Hello")
    page = control.read(list_of(Room))
    assert listed(page) == [room.pk]
    for text in ("Design", "design", ">2<", ">1<", "alice"):
        assert text in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"state": "open"}, {"design", "idle", "board"}),
        ({"state": "idle"}, {"idle"}),
        ({"state": "closed"}, {"past"}),
        ({"by": "invitation"}, {"board"}),
        ({"by": "id", "state": "open"}, {"design", "idle"}),
        ({"q": "boa"}, {"board"}),
        ({"q": "Design"}, {"design"}),
        ({"q": "bob"}, {"board"}),
    ],
)
def test_it_is_narrowed_and_searched(
    control: ControlRoom, room: Room, alice: User, bob: User, query: dict[str, str], shown: set[str]
) -> None:
    idle = Room.objects.start(alice, "Idle", "idle")
    Room.objects.filter(pk=idle.pk).update(active_at=ago(91 * DAY))
    Room.objects.start(bob, "Board", "board", by_invitation=True)
    past(alice)
    found = Room.objects.filter(pk__in=listed(control.read(list_of(Room), **query)))
    assert set(found.values_list("public_id", flat=True)) == shown


def test_a_page_says_all_of_a_room(control: ControlRoom, room: Room, alice: User, bob: User) -> None:
    room.post(alice, "Hello")
    room.state.set("plan", {"steps": [1, 2]}, bob)
    room.leave(bob)
    page = control.read(page_of(room))
    for text in ("Design", "design", "alice", "bob", "Owner", "Left", "plan", "&quot;steps&quot;: ["):
        assert text in page, text
    messages, members = (
        f'href="/admin/collab_app/{name}/?room__id__exact={room.pk}"' for name in ("message", "membership")
    )
    assert f"{messages}>1</a>" in page
    assert f"{members}>1 now</a>" in page


def test_a_former_user_is_said_to_be_one(control: ControlRoom, room: Room, alice: User, bob: User) -> None:
    room.post(alice, "Farewell")
    room.state.set("plan", 1, alice)
    answer = control.post(deletion_of(alice), post="yes")
    assert answer.status_code == 302
    assert not User.objects.filter(username="alice").exists()
    assert Message.objects.get().author is None
    assert Membership.objects.get(user=bob).is_owner
    for path in (list_of(Room), page_of(room), list_of(Message), page_of(Message.objects.get())):
        assert "a former user" in control.read(path), path


def test_what_people_wrote_is_text_on_every_page(control: ControlRoom, operator: User) -> None:
    owner = User.objects.create_user(canary("username"))
    room = full_of_canaries(owner)
    objects = (room, Message.objects.get(), Membership.objects.get())
    seen = ""
    for path in (path for obj in objects for path in (list_of(type(obj)), page_of(obj), history_of(obj))):
        seen += (page := control.read(path))
        assert "<script>" not in page, path
        assert canary("message-key") not in page
        assert "message-key" not in page, path
    for obj in objects:
        for answer in (control.get(list_of(Message), room__id__exact=room.pk), control.get(deletion_of(obj))):
            assert "<script>" not in answer.text
    answers = [control.act("remove", objects[2]), control.act("close", room), control.get("/admin/", follow=True)]
    answers += [control.get(history_of(room)), control.get(list_of(LogEntry)), control.get(deletion_of(owner))]
    assert all("<script>" not in answer.text for answer in answers)
    for field in (
        "room-name",
        "message-text",
        "message-client",
        "state-key",
        "inner-key",
        "state-value",
        "username",
    ):
        assert f"&lt;script&gt;{field}" in seen, field


def test_direction_marks_and_line_breaks_in_names_do_not_act(control: ControlRoom, alice: User) -> None:
    room = Room.objects.start(alice, "a b c", "hostile")
    Room.objects.update(name="a\u202eb\nc")  # past the model, which refuses that
    room.state.set("k\u202ey\x1b", "v\u202e\r", alice)
    room.post(alice, "t\u202e\x1b\rnext", client="c\u202e")
    message, membership = Message.objects.get(), Membership.objects.get()
    control.act("close", room)
    for obj in (room, message, membership):
        for path in (list_of(type(obj)), page_of(obj), history_of(obj)):
            page = control.read(path)
            assert not any(char in page for char in "\x1b\u202e\r"), path
            assert "a\\u202eb\\nc" in page


def test_long_values_and_long_lists_of_members_stay_short(
    control: ControlRoom, room: Room, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.state.set("long", "x" * 5000, alice)
    monkeypatch.setattr(FirstOnes, "most", 4)
    for number in range(6):
        user = User.objects.create_user(f"guest-{number}")
        room.join(user)
        room.leave(user)
    page = control.read(page_of(room))
    assert "x" * 900 in page
    assert "x" * 1001 not in page
    assert [name for name in ("alice", "bob", "guest-5", "guest-4", "guest-3") if f">{name}<" in page] == [
        "alice", "bob", "guest-5", "guest-4"
    ]  # fmt: skip


def test_queries_do_not_grow_with_the_rows(
    control: ControlRoom, room: Room, alice: User, django_assert_max_num_queries: Any
) -> None:
    control.get(list_of(Room))
    for number in range(12):
        user = User.objects.create_user(f"guest-{number}")
        other = Room.objects.start(user, "Other")
        other.post(user, "Hello")
        room.join(user)
        room.state.set(f"key-{number}", number, user)
    for path in (list_of(Room), list_of(Membership), list_of(Message), page_of(room)):
        with django_assert_max_num_queries(10):
            control.read(path)


# --- Who may ---


def test_staff_without_permissions_are_refused(room: Room, alice: User) -> None:
    room.post(alice, "Hello")
    nobody = ControlRoom(make_staff("nobody", may="^$"))
    for obj in (room, Message.objects.get(), room.member(alice)):
        for path in (list_of(type(obj)), page_of(obj), history_of(obj)):
            assert nobody.get(path).status_code == 403, path


def test_who_may_look_at_rooms_alone_sees_no_members_and_no_state(room: Room, alice: User) -> None:
    room.state.set("plan", 1, alice)
    page = ControlRoom(make_staff("viewer", may="^view_room$")).read(page_of(room))
    assert "Design" in page
    for text in ("bob", "plan", "Export as", "Close this room"):
        assert text not in page, text


def test_nobody_adds_edits_or_deletes(control: ControlRoom, room: Room, alice: User) -> None:
    room.post(alice, "Hello")
    for obj in (room, Message.objects.get(), room.member(alice)):
        before = type(obj)._base_manager.values().get(pk=obj.pk)
        for path in (form_for(type(obj)), page_of(obj), deletion_of(obj)):
            assert control.post(path, name="x", text="x", role="owner", post="yes").status_code == 403, path
        control.act("delete_selected", obj, post="yes")
        assert type(obj)._base_manager.values().get(pk=obj.pk) == before


# --- Closing ---


@pytest.mark.parametrize("on", ["act", "act_on_page"])
def test_a_room_is_closed(control: ControlRoom, room: Room, alice: User, on: str) -> None:
    getattr(control, on)("close", room)
    room.refresh_from_db()
    assert not room.is_open
    assert not room.memberships.present().exists()
    assert "Closed: 1. Closed before: 0." in control.read(list_of(Room))
    assert said(control, room) == ["Closed."]
    getattr(control, on)("close", room)
    assert "Closed: 0. Closed before: 1." in control.read(list_of(Room))
    assert said(control, room) == ["Closed."]


def test_closing_takes_the_permission_to_change(room: Room) -> None:
    viewer = ControlRoom(make_staff("viewer", "Members", may="^view_room$"))
    for act in (viewer.act, viewer.act_on_page):
        act("close", room)
    room.refresh_from_db()
    assert room.is_open


def test_nobody_closes_the_room_of_who_may_do_more(moderator: ControlRoom, operator: User, room: Room) -> None:
    boss = Room.objects.start(operator, "Boss", "boss")
    moderator.act("close", boss, room)
    page = moderator.read(list_of(Room))
    assert "Left alone: 1 of users who may do more than you." in page
    assert "Closed: 1. Closed before: 0." in page
    assert list(Room.objects.open()) == [boss]


# --- Removing a member ---


@pytest.mark.parametrize("on", ["act", "act_on_page"])
def test_a_member_is_removed(moderator: ControlRoom, room: Room, alice: User, bob: User, on: str) -> None:
    membership = room.member(bob)
    getattr(moderator, on)("remove", membership)
    membership.refresh_from_db()
    assert (membership.is_present, membership.was_removed) == (False, True)
    assert "Removed: 1. Not in the room any more: 0." in moderator.read(list_of(Membership))
    assert said(moderator, membership) == ["Removed from the room."]
    assert said(moderator, room) == ["Removed bob."]
    getattr(moderator, on)("remove", membership)
    assert "Removed: 0. Not in the room any more: 1." in moderator.read(list_of(Membership))
    assert len(said(moderator, membership)) == 1


def test_with_its_last_member_a_room_is_closed(control: ControlRoom, room: Room, alice: User, bob: User) -> None:
    control.act("remove", room.member(alice), room.member(bob))
    page = control.read(list_of(Membership))
    assert "Removed: 2. Not in the room any more: 0. Rooms that are closed, because nobody is left: 1." in page
    assert not Room.objects.get().is_open


def test_nobody_is_removed_by_who_may_do_less(
    moderator: ControlRoom, operator: User, room: Room, bob: User
) -> None:
    beyond = room.join(operator)
    for act in (moderator.act, moderator.act_on_page):
        act("remove", beyond)
        assert "Left alone: 1 of users who may do more than you." in moderator.read(list_of(Membership))
    viewer = ControlRoom(make_staff("viewer", "Members", may="^(view_membership|view_room|change_room)$"))
    viewer.act("remove", room.member(bob))
    assert room.memberships.present().count() == 3


@pytest.mark.parametrize(
    ("status", "names"),
    [("present", {"alice"}), ("invited", {"dora"}), ("removed", {"bob"}), ("", {"alice", "bob", "dora"})],
)
def test_memberships_are_narrowed(
    control: ControlRoom, room: Room, alice: User, bob: User, dora: User, status: str, names: set[str]
) -> None:
    room.put_out(bob)
    room.invite(dora, alice)
    Room.objects.start(alice, "Another")
    page = control.read(list_of(Membership), status=status, room__id__exact=room.pk)
    assert set(column(page, "shown_user")) == names
    assert "Design (design)" in page


# --- Export ---


def ask(control: ControlRoom, room: Room, format: str) -> Any:
    return control.post(f"{list_of(Room)}{room.pk}/export/", format=format)


async def whole(response: Any) -> str:
    return b"".join([part async for part in response]).decode()


def test_a_room_is_exported(
    control: ControlRoom, room: Room, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    room.post(alice, "Hello")
    page = control.read(page_of(room))
    for name in ("JSON lines", "Markdown"):
        assert f"Export as {name}" in page
    for format, kind, extension in (
        ("jsonl", "application/jsonl; charset=utf-8", "jsonl"),
        ("markdown", "text/markdown; charset=utf-8", "md"),
    ):
        response = ask(control, room, format)
        assert response["Content-Type"] == kind
        assert re.fullmatch(
            rf'attachment; filename="room-design-[0-9-]+\.{extension}"', response["Content-Disposition"]
        )
        assert "no-store" in response["Cache-Control"]
        assert "Hello" in async_to_sync(whole)(response)
    assert said(control, room) == [
        "Exported as JSON lines, with 1 messages.", "Exported as Markdown, with 1 messages."
    ]  # fmt: skip
    assert "operator exported room design as JSON lines" in caplog.text


def test_it_is_noted_before_anything_leaves(control: ControlRoom, room: Room) -> None:
    with CaptureQueriesContext(connection) as queries:
        response = ask(control, room, "jsonl")
    assert len(said(control, room)) == 1
    assert not any("collab_message" in query["sql"] for query in queries.captured_queries)
    assert json.loads(async_to_sync(whole)(response).splitlines()[0])["id"] == "design"


@pytest.mark.parametrize(
    ("may", "status"),
    [("^(view|change)_", 403), ("^export_room$", 403), ("^$", 403), ("^(view|export)_room$", 200)],
)
def test_exporting_takes_a_permission_of_its_own(room: Room, may: str, status: int) -> None:
    staff = ControlRoom(make_staff("staff", may=may))
    assert ask(staff, room, "jsonl").status_code == status
    assert LogEntry.objects.exists() == (status == 200)


def test_no_link_and_no_foreign_page_starts_an_export(control: ControlRoom, room: Room) -> None:
    assert control.get(f"{list_of(Room)}{room.pk}/export/").status_code == 405
    forged = ControlRoom(make_superuser("other"), enforce_csrf_checks=True)
    assert ask(forged, room, "jsonl").status_code == 403
    assert ask(ControlRoom(), room, "jsonl")["Location"].startswith("/admin/login/")
    for format in ("", "xlsx"):
        assert ask(control, room, format).status_code == 400
    assert control.post(f"{list_of(Room)}{10**30}/export/", format="jsonl").status_code == 404
    assert not LogEntry.objects.exists()
