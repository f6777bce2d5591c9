"""Session tokens, token families, single JWTs and outside identities in the admin: looked at, revoked, linked."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from sessions_app import credentials
from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt import own
from sessions_app.jwt.compact import Unverified
from sessions_app.models import (
    ApiKey,
    OutsideIdentity,
    RefreshToken,
    RevokedToken,
    SessionToken,
    TokenFamily,
    User,
)
from tests.control_room import ControlRoom, form_for, list_of, make_staff, make_superuser, page_of


@pytest.fixture
def room(db_for_threads: None) -> ControlRoom:
    return ControlRoom(make_superuser())


def one_of_each(user: User) -> list[Any]:
    return [ApiKey.mint(user, "laptop")[0], SessionToken.mint(user)[0], TokenFamily.open(user)[0]]


@pytest.mark.parametrize("place", ["list", "page"])
def test_each_is_revoked_with_a_reason_that_others_read(room: ControlRoom, alice: User, place: str) -> None:
    for row in one_of_each(alice):
        if place == "list":
            room.act("revoke", row, reason=" lost in a taxi ")
        else:
            room.act_on_page("revoke", row, reason="lost in a taxi")
        row.refresh_from_db()
        assert row.revoked_reason == "by operator: lost in a taxi"
        assert not row.is_valid
        assert "by operator: lost in a taxi" in room.read(page_of(row))
        assert LogEntry.objects.filter(change_message="Revoked. lost in a taxi", object_id=row.pk).exists()


def test_a_reason_is_not_needed_and_not_endless(room: ControlRoom, alice: User) -> None:
    first, second = SessionToken.mint(alice)[0], SessionToken.mint(alice)[0]
    room.act("revoke", first)
    room.act("revoke", second, reason="x" * 101)
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.revoked_reason == "by operator"
    assert second.revoked_reason == f"by operator: {'x' * 100}"


def test_what_was_revoked_before_keeps_its_reason(room: ControlRoom, alice: User) -> None:
    token = SessionToken.mint(alice)[0]
    token.revoke("by alice")
    page = room.act("revoke", token, reason="again")
    assert "Revoked: 0. Revoked before: 1." in room.read(page["Location"])
    token.refresh_from_db()
    assert token.revoked_reason == "by alice"


def test_whoever_may_only_look_is_not_offered_to_revoke(alice: User) -> None:
    viewer = ControlRoom(make_staff("viewer", "Members", may="^view_"))
    for row in one_of_each(alice):
        assert 'value="revoke"' not in viewer.read(list_of(type(row)))
        viewer.act("revoke", row)
        row.refresh_from_db()
        assert row.is_valid


def test_whoever_may_change_them_may_revoke_them(alice: User) -> None:
    clerk = ControlRoom(make_staff("clerk", "Members", may="_(sessiontoken|tokenfamily)$"))
    for row in one_of_each(alice)[1:]:
        clerk.act("revoke", row)
        row.refresh_from_db()
        assert row.revoked_reason == "by clerk"


def test_a_list_says_why_one_is_not_valid(room: ControlRoom, alice: User, bob: User) -> None:
    over, idle, old, revoked, inactive = (SessionToken.mint(user)[0] for user in (alice, alice, alice, alice, bob))
    SessionToken.objects.filter(pk=over.pk).update(expires_at=timezone.now())
    SessionToken.objects.filter(pk=idle.pk).update(idle_expires_at=timezone.now())
    SessionToken.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1))
    User.objects.filter(pk=alice.pk).update(tokens_valid_after=timezone.now() - timedelta(hours=1))
    User.objects.filter(pk=bob.pk).update(is_active=False)
    revoked.revoke()
    said = {row.pk: SessionToken.objects.get(pk=row.pk).status for row in (over, idle, old, revoked, inactive)}
    assert list(said.values()) == [
        "expired", "expired", "the password was changed", "revoked", "its owner is inactive",
    ]  # fmt: skip
    page = room.read(list_of(SessionToken))
    assert all(status in page for status in said.values())


def test_no_secret_is_on_any_page(room: ControlRoom, alice: User) -> None:
    row, token = SessionToken.mint(alice)
    family, refresh = TokenFamily.open(alice)
    digest = RefreshToken.objects.get().digest
    for path in (list_of(SessionToken), page_of(row), list_of(TokenFamily), page_of(family)):
        page = room.read(path)
        assert all(secret not in page for secret in (token.value, row.digest, refresh.value, digest))


def test_one_jwt_is_revoked_by_its_id(room: ControlRoom, alice: User) -> None:
    family, _ = TokenFamily.open(alice)
    secret = own.issue(family)
    claims = Unverified.read(secret).verify(next(iter(own.ring().values())))
    answer = room.post(
        form_for(RevokedToken), issuer=claims["iss"], jti=claims["jti"], expires_at_0="2100-01-01",
        expires_at_1="00:00", reason="leaked",
    )  # fmt: skip
    assert answer.status_code == 302
    assert RevokedToken.objects.get().reason == "by operator: leaked"
    with pytest.raises(Unauthenticated):
        credentials.identify(secret)
    assert credentials.identify(own.issue(family)).username == "alice"


def test_a_subject_is_linked_once(room: ControlRoom, alice: User, bob: User) -> None:
    link = {"issuer": "https://login.example.com/", "subject": "auth0|1"}
    assert room.post(form_for(OutsideIdentity), user=alice, **link).status_code == 302
    again = room.post(form_for(OutsideIdentity), user=bob, **link)
    assert again.status_code == 200
    assert "already exists" in again.text
    assert OutsideIdentity.objects.get().user == alice


def test_a_link_that_a_session_has_no_room_for_is_refused(room: ControlRoom, alice: User) -> None:
    link = {"issuer": "https://" + "x" * 150, "subject": "y" * 150}
    assert "too long together" in room.post(form_for(OutsideIdentity), user=alice, **link).text
    assert not OutsideIdentity.objects.exists()


def test_one_jwt_is_revoked_by_superusers_alone(alice: User) -> None:
    """It may be anybody's."""
    clerk = ControlRoom(make_staff("clerk", "Members", may="."))
    assert clerk.get(form_for(RevokedToken)).status_code == 403
    clerk.post(form_for(RevokedToken), issuer="a", jti="b", expires_at_0="2100-01-01", expires_at_1="00:00")
    assert not RevokedToken.objects.exists()
