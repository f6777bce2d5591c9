"""One's live sessions, on one's own page: which client, since when, how busy; ended by their owner alone."""

from html import unescape
from typing import Any

import pytest

from project.pages import sessions as page
from sessions_app.models import ApiKey, OutsideIdentity, Session, User
from tests.control_room import ControlRoom, Page

CANARY = "<script>alert('canary')</script>"


def session_of(user: User, **details: Any) -> Session:
    key = ApiKey.mint(user, f"{user}'s key")[0]
    about = {
        "credential": key.credential,
        "label": key.label,
        "client_name": "claude-code",
        "client_version": "2.1",
        "protocol_version": "2026-07-28",
        "transport": "http",
    }
    return Session.objects.create(user=user, **{**about, **details})


def ending(session: Session) -> str:
    return f"/me/sessions/{session.pk}/end/"


def test_a_live_session_is_listed(alice: User, bob: User) -> None:
    session_of(alice, ip="203.0.113.9", calls=12, errors=3)
    session_of(alice, client_name="old", protocol_version="2025-11-25").end("by a test")
    session_of(bob, client_name="bobs")
    html = unescape(ControlRoom(alice).read("/me/sessions/"))
    for shown in ("claude-code 2.1", "with <bdi>the key alice's key</bdi>", "203.0.113.9", "12, 3 with an error",
                  "HTTP", "2026-07-28, without a handshake"):  # fmt: skip
        assert shown in html, shown
    assert ">old" not in html
    assert "bobs" not in html


def test_who_has_none_is_told_how_one_begins(alice: User) -> None:
    assert "No client of yours is connected." in ControlRoom(alice).read("/me/sessions/")


def test_ending_is_asked_first_and_then_done(alice: User) -> None:
    session, room = session_of(alice), ControlRoom(alice)
    assert "It may begin anew" in room.read(ending(session))
    assert Session.objects.live().exists()
    assert room.post(ending(session))["Location"] == "/me/sessions/"
    assert Session.objects.get().end_reason == "by alice"
    assert ApiKey.objects.valid().exists()
    assert "Ended: claude-code 2.1." in room.read("/me/sessions/")


def test_what_it_came_with_can_go_as_well(alice: User) -> None:
    session, room = session_of(alice), ControlRoom(alice)
    room.post(ending(session), also="revoke")
    assert not Session.objects.live().exists()
    assert ApiKey.objects.get().revoked_reason == "by alice"


def test_what_cannot_be_undone_by_oneself_is_said(alice: User) -> None:
    link = OutsideIdentity.objects.create(user=alice, issuer="https://a.example", subject="alice")
    session, room = session_of(alice, credential=link.credential, label="alice"), ControlRoom(alice)
    assert "You cannot link it again yourself then" in room.read(ending(session))
    assert OutsideIdentity.objects.exists()
    room.post(ending(session), also="revoke")
    assert not OutsideIdentity.objects.exists()


def test_what_was_revoked_meanwhile_is_said_to_have_been(alice: User) -> None:
    session, room = session_of(alice), ControlRoom(alice)
    ApiKey.objects.all().revoke("by somebody")
    room.post(ending(session), also="revoke")
    assert "there was nothing to revoke any more" in room.read("/me/sessions/")


def test_a_browser_s_has_nothing_to_revoke(alice: User) -> None:
    session = session_of(alice, credential="browser", label="alice", transport="websocket")
    asked = ControlRoom(alice).read(ending(session))
    assert "End it and revoke" not in asked
    assert "It may begin anew" not in asked


def test_another_s_is_as_one_that_there_is_not(alice: User, bob: User) -> None:
    theirs, over = session_of(bob), session_of(alice, client_name="old")
    over.end("by a test")
    room = ControlRoom(alice)
    for path in (ending(theirs), ending(over), "/me/sessions/999999/end/", f"/me/sessions/{10**30}/end/"):
        assert [room.get(path).status_code, room.post(path).status_code] == [404, 404]
    assert Session.objects.live().filter(user=bob).exists()


def test_the_list_has_an_end(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST", 1)
    session_of(alice)
    assert "There are more" not in ControlRoom(alice).read("/me/sessions/")
    session_of(alice, client_name="another")
    assert "There are more" in ControlRoom(alice).read("/me/sessions/")


def test_what_a_client_calls_itself_is_text(alice: User) -> None:
    session = session_of(alice, client_name=CANARY, client_version=CANARY, label=CANARY)
    room = ControlRoom(alice)
    for html in (room.read("/me/sessions/"), room.read(ending(session))):
        assert CANARY not in html
        assert CANARY in unescape(html)
        assert Page(html).inline == []
