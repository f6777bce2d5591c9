"""The pages of rooms: who sees which, what their forms do, and what is said where something is refused."""

import re
from typing import Any

import pytest
from django.test import Client

from collab_app import limits
from collab_app.models import Membership, Room
from sessions_app import limits as sign_in_limits
from sessions_app.limits import Limit
from sessions_app.models import User
from tests.bounds import bounded
from tests.control_room import ControlRoom, Page

pytestmark = pytest.mark.alike

WRONG, RIGHT = "battery staple", "correct horse"
HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')


def page_of(user: User) -> ControlRoom:
    return ControlRoom(user)


def asking(user: User, do: str, **fields: str) -> Any:
    return page_of(user).post("/rooms/", do=do, **fields)


# --- The list ---


def test_one_s_rooms_are_listed_with_what_is_new(room: Room, alice: User, bob: User) -> None:
    room.post(bob, "One")
    room.post(bob, "Two")
    Room.objects.start(bob, "bob's own", "own")
    html = page_of(alice).read("/rooms/")
    assert 'href="/rooms/design/"' in html
    assert "2 participants" in html
    assert "2 new" in html
    assert "bob&#x27;s own" not in html


def test_who_is_in_no_room_is_told_how_to_come_into_one(dora: User) -> None:
    assert "You are in no room yet." in page_of(dora).read("/rooms/")


def test_many_rooms_come_in_pages(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(51):
        Room.objects.start(alice, f"Room {number}", f"r{number:02}")
    first = page_of(alice).read("/rooms/")
    assert "?after=r49" in first
    second = page_of(alice).read("/rooms/", after="r49")
    assert 'href="/rooms/r50/"' in second
    assert 'href="/rooms/r49/"' not in second
    assert 'href="/rooms/r00/"' in page_of(alice).read("/rooms/", after="\x00"), "what is no id is no place"


def test_a_name_is_text(alice: User) -> None:
    Room.objects.start(alice, "<script>alert(1)</script>", "x")
    for path in ("/rooms/", "/rooms/x/"):
        html = page_of(alice).read(path)
        assert "<script>alert" not in html
        assert Page(html).inline == []


# --- Forms ---


def test_a_room_is_created(alice: User) -> None:
    answer = asking(alice, "create", name=" Design ", public_id="design", by_invitation="on")
    assert (answer.status_code, answer["Location"]) == (302, "/rooms/design/")
    room = Room.objects.get(public_id="design")
    assert (room.name, room.by_invitation, room.creator) == ("Design", True, alice)


def test_a_room_without_an_id_gets_one(alice: User) -> None:
    answer = asking(alice, "create", name="Design")
    assert answer["Location"] == f"/rooms/{Room.objects.get().public_id}/"


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": "Mine", "public_id": "design"}, 409, "There is an open room design already"),
        ({"name": "Mine", "public_id": "no spaces"}, 400, "A room&#x27;s id has 1 to 64"),
        ({"name": "Mine", "public_id": "-first"}, 400, "A room&#x27;s id has 1 to 64"),
        ({"name": "x" * 101, "public_id": "kept"}, 400, "A room&#x27;s name has 1 to 100"),
        ({"name": "", "public_id": "kept"}, 400, "This field is required."),
        ({"name": "a\x00b", "public_id": "kept"}, 400, "Null characters are not allowed."),
    ],
)
def test_what_is_refused_is_said_and_what_was_typed_kept(
    room: Room, dora: User, fields: dict[str, str], status: int, sentence: str
) -> None:
    answer = asking(dora, "create", **fields)
    assert answer.status_code == status
    assert sentence in answer.text
    assert f'value="{fields["public_id"]}"' in answer.text
    assert not Room.objects.of(dora.pk).exists()


def test_too_many_rooms_are_too_many(room: Room, alice: User) -> None:
    Room.objects.start(User.objects.create_user("erin"), "Other", "other")
    with bounded(rooms_of_one=1):
        for form in (asking(alice, "create", name="Another"), asking(alice, "join", public_id="other")):
            assert form.status_code == 413
            assert "You are in as many rooms as you may be" in form.text


def test_forms_count_as_posts(room: Room, dora: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "POSTS", Limit("posts", 1, 60))
    assert asking(dora, "create", name="One").status_code == 302
    answer = asking(dora, "create", name="Two")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 60
    assert "Rate limit exceeded." in answer.text
    assert 'value="Two"' in answer.text


def test_a_room_is_joined_by_its_id(room: Room, dora: User) -> None:
    answer = asking(dora, "join", public_id="design")
    assert (answer.status_code, answer["Location"]) == (302, "/rooms/design/")
    assert room.memberships.present().filter(user=dora).exists()


@pytest.mark.parametrize("public_id", ["nowhere", "closed-to-her", "../admin", "x" * 5000])
def test_a_room_that_is_not_there_is_not_joined(room: Room, bob: User, dora: User, public_id: str) -> None:
    Room.objects.start(bob, "Closed to her", "closed-to-her", by_invitation=True)
    answer = asking(dora, "join", public_id=public_id)
    assert answer.status_code == 404
    assert f"Room {public_id} not found" in answer.text


def test_an_invitation_is_accepted_or_declined(room: Room, alice: User, dora: User) -> None:
    room.invite(dora, alice)
    html = page_of(dora).read("/rooms/")
    assert "Accept the invitation to Design" in html
    assert page_of(dora).get("/rooms/design/").status_code == 404, "she has not accepted yet"
    assert asking(dora, "decline", public_id="design")["Location"] == "/rooms/"
    assert not Membership.objects.counted().filter(user=dora).exists()
    assert asking(dora, "decline", public_id="design").status_code == 404
    room.invite(dora, alice)
    assert asking(dora, "join", public_id="design")["Location"] == "/rooms/design/"
    assert "Accept the invitation" not in page_of(dora).read("/rooms/")


def test_declining_does_not_leave_a_room_that_one_is_in(room: Room, bob: User) -> None:
    assert asking(bob, "decline", public_id="design").status_code == 404
    assert room.memberships.present().filter(user=bob).exists()


def test_what_is_not_offered_is_not_done(alice: User) -> None:
    assert asking(alice, "destroy").status_code == 400


def test_forms_need_their_token(room: Room, alice: User) -> None:
    outside = ControlRoom(alice, enforce_csrf_checks=True)
    for path, data in (("/rooms/", {"do": "create", "name": "Forged"}), ("/sign-out/", {})):
        assert outside.post(path, **data).status_code == 403
    assert Room.objects.count() == 1


# --- A room ---


def test_a_member_sees_the_room(room: Room, bob: User) -> None:
    html = page_of(bob).read("/rooms/design/")
    assert 'data-room="design"' in html
    assert "/api/rooms/design/export/?format=jsonl" in html


def test_to_outsiders_a_room_is_as_an_unknown_one(
    room: Room, alice: User, bob: User, dora: User, charlie: User
) -> None:
    room.invite(dora, alice)
    room.join(charlie)
    room.remove(bob, alice)
    for user in (bob, dora, charlie):
        pages = [page_of(user).get(f"/rooms/{public_id}/") for public_id in ("design", "nowhere")]
        for page in pages:
            assert page.status_code == 404
            del page["Expires"]  # now
        assert pages[0].headers == pages[1].headers
        assert pages[0].content == pages[1].content
        assert b"Room not found" in pages[0].content


def test_without_the_permission_there_are_no_rooms(room: Room, charlie: User) -> None:
    visitor = page_of(charlie)
    answers = [visitor.get("/rooms/"), visitor.post("/rooms/", do="join", public_id="design")]
    for answer in answers:
        assert answer.status_code == 403
        assert "no-store" in answer["Cache-Control"]
    assert not Room.objects.of(charlie.pk).exists()


@pytest.mark.parametrize("path", ["/rooms/", "/rooms/design/", "/rooms/nowhere/"])
def test_nobody_is_asked_to_sign_in(room: Room, path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")


def test_pages_are_kept_nowhere_and_run_nothing_of_their_own(room: Room, alice: User) -> None:
    for visitor, path in (
        (page_of(alice), "/rooms/"),
        (page_of(alice), "/rooms/design/"),
        (page_of(alice), "/rooms/nowhere/"),
        (ControlRoom(), "/sign-in/"),
    ):
        answer = visitor.get(path)
        assert "no-store" in answer["Cache-Control"], path
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert Page(answer.text).inline == [], path


def test_what_a_page_loads_is_there(room: Room, alice: User) -> None:
    visitor = page_of(alice)
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', visitor.read("/rooms/design/")))
    assert {"/static/project/page.css", "/static/collab_app/room.js"} <= loaded
    assert {visitor.get(path).status_code for path in loaded} == {200}


# --- Signing in and out ---


def sign_in(username: str, password: str, ip: str = "203.0.113.1", **data: str) -> Any:
    room = ControlRoom(REMOTE_ADDR=ip)
    return room.post("/sign-in/", username=username, password=password, **data)


def test_whoever_has_an_account_signs_in(alice: User, charlie: User) -> None:
    for username in ("alice", "charlie"):
        assert sign_in(username, RIGHT)["Location"] == "/me/"
    assert sign_in("alice", RIGHT, next="/rooms/design/")["Location"] == "/rooms/design/"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"])
def test_signing_in_leads_nowhere_else(alice: User, target: str) -> None:
    assert sign_in("alice", RIGHT, next=target)["Location"] == "/me/"


def test_a_wrong_password_is_said_and_the_name_kept(alice: User) -> None:
    answer = sign_in("alice", WRONG)
    assert answer.status_code == 400
    assert "Please enter a correct username and password." in answer.text
    assert 'value="alice"' in answer.text
    assert WRONG not in answer.text


def test_who_may_not_any_more_does_not_sign_in(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert sign_in("alice", RIGHT).status_code == 400


def test_failed_sign_ins_are_limited_as_the_admin_s(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(sign_in_limits.SIGN_IN_ACCOUNT.most):
        assert sign_in("alice", WRONG, f"203.0.113.{number}").status_code == 400
    answer = sign_in("alice", RIGHT, "203.0.113.99")
    assert answer.status_code == 429
    assert "Too many sign-ins failed. Try again in 60 minutes." in answer.text
    assert "Sign-in of user alice failed from 203.0.113.1" in caplog.text
    assert "refused unlooked at: too many failed (sign-in-account)" in caplog.text


def test_who_is_signed_in_need_not_again(alice: User) -> None:
    assert page_of(alice).get("/sign-in/")["Location"] == "/me/"


@pytest.mark.parametrize("target", ["/sign-in/", "/sign-out/", "/sign-in/?next=/sign-in/", "\x00"])
def test_signing_in_goes_round_nowhere(alice: User, target: str) -> None:
    assert page_of(alice).get("/sign-in/", next=target).status_code == 302


def test_signing_out(room: Room, alice: User) -> None:
    visitor = page_of(alice)
    assert visitor.get("/sign-out/").status_code == 405, "a link of another page does not sign anybody out"
    assert visitor.post("/sign-out/")["Location"] == "/sign-in/"
    assert visitor.get("/rooms/").status_code == 302


def test_every_id_that_a_room_may_have_has_a_page(alice: User) -> None:
    for public_id in ("a", "A.b_c~d-e", "9" * 64):
        answer = asking(alice, "create", name="Room", public_id=public_id)
        assert answer["Location"] == f"/rooms/{public_id}/"
        assert page_of(alice).get(answer["Location"]).status_code == 200
