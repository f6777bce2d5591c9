"""What lets one in, on one's own page: seen without its secret, and revoked by its owner alone."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from project.pages import keys as page
from sessions_app.models import ApiKey, SessionToken, TokenFamily, User
from tests.control_room import ControlRoom, Page

CANARY = "<script>alert('canary')</script>"


def held_by(user: User) -> dict[str, Any]:
    """One of each kind, by what it is called in a URL."""
    return {
        "key": ApiKey.mint(user, "laptop", scopes=["tools_app.call_get-user-profile"])[0],
        "token": SessionToken.mint(user, "phone", ip="203.0.113.9")[0],
        "sign-in": TokenFamily.open(user, ip="203.0.113.9")[0],
    }


def revoking(kind: str, pk: int) -> str:
    return f"/me/keys/{kind}/{pk}/revoke/"


def test_all_that_lets_one_in_is_listed_without_its_secret(alice: User, bob: User) -> None:
    _, token = ApiKey.mint(alice, "desktop")
    ApiKey.mint(bob, "bob's own")
    held = held_by(alice)
    html = ControlRoom(alice).read("/me/keys/")
    for credential in held.values():
        assert credential.prefix in html
    assert f"{held['key'].prefix}…{held['key'].last_four}" in html
    assert token.value.rpartition("_")[2] not in html
    assert "bob" not in html
    assert "203.0.113.9" in html


def test_scopes_are_called_by_their_names(alice: User) -> None:
    ApiKey.mint(alice, "narrow", scopes=["tools_app.call_get-user-profile", "gone.long_ago"])
    ApiKey.mint(alice, "narrowest", scopes=[])
    ApiKey.mint(alice, "wide")
    html = ControlRoom(alice).read("/me/keys/")
    assert "Can call get-user-profile, gone.long_ago" in html
    assert "<bdi>nothing</bdi>" in html
    assert "all that you may" in html


def test_who_has_nothing_is_told_how_to_come_by_it(alice: User) -> None:
    html = ControlRoom(alice).read("/me/keys/")
    assert "You have no keys yet." in html
    assert html.count('class="empty"') == 3


@pytest.mark.parametrize("kind", page.KINDS)
def test_revoking_is_asked_first_and_then_done(alice: User, kind: str) -> None:
    credential, room = held_by(alice)[kind], ControlRoom(alice)
    asked = room.read(revoking(kind, credential.pk))
    assert "open streams end at once" in asked
    assert type(credential).objects.valid().count() == 1, "looking changes nothing"
    answer = room.post(revoking(kind, credential.pk))
    assert (answer.status_code, answer["Location"]) == (302, "/me/keys/")
    assert not type(credential).objects.valid().exists()
    assert type(credential).objects.get().revoked_reason == "by alice"
    assert "Revoked: the" in room.read("/me/keys/")


@pytest.mark.parametrize("kind", page.KINDS)
def test_another_s_is_as_one_that_there_is_not(alice: User, bob: User, kind: str) -> None:
    credential, room = held_by(bob)[kind], ControlRoom(alice)
    for pk in (credential.pk, 999_999, 10**30):
        answers = [room.get(revoking(kind, pk)), room.post(revoking(kind, pk))]
        assert [answer.status_code for answer in answers] == [404, 404]
    assert type(credential).objects.valid().count() == 1


def test_what_is_revoked_already_is_not_asked_about(alice: User) -> None:
    key, room = ApiKey.mint(alice, "laptop")[0], ControlRoom(alice)
    key.revoke("by an operator")
    assert room.get(revoking("key", key.pk))["Location"] == "/me/keys/"
    assert room.post(revoking("key", key.pk)).status_code == 302
    html = room.read("/me/keys/")
    assert "Revoked before: the API key" in html
    assert "by an operator" in html
    assert revoking("key", key.pk) not in html


def test_a_kind_that_there_is_not_has_no_page(alice: User) -> None:
    assert ControlRoom(alice).get(revoking("password", 1)).status_code == 404


def test_of_what_is_over_only_the_newest_are_listed(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_OVER", 2)
    for name in ("first", "second", "third"):
        ApiKey.mint(alice, name, lifetime=timedelta(seconds=-1))
    html = ControlRoom(alice).read("/me/keys/")
    assert "second" in html
    assert "first" not in html
    assert '<span class="status expired">expired</span>' in html


def test_what_others_wrote_is_text(alice: User) -> None:
    key = ApiKey.mint(alice, CANARY, scopes=[CANARY])[0]
    token = SessionToken.mint(alice, CANARY)[0]
    token.revoke(CANARY)
    room = ControlRoom(alice)
    for html in (room.read("/me/keys/"), room.read(revoking("key", key.pk))):
        assert CANARY not in html
        assert CANARY in unescape(html)
        assert Page(html).inline == []
