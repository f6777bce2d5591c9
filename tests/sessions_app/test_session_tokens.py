"""Session tokens: got for a password, kept alive by use, and over when they are left."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from sessions_app import credentials, tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import SessionToken, User
from sessions_app.models.session_token import SHORTEST_IDLE_LIFETIME
from tests.sessions_app.test_api_keys import in_thread, knock, settled

ECHO = "tools_app.call_echo"


def mint(user: User, **details: Any) -> tuple[SessionToken, str]:
    row, token = SessionToken.mint(user, **details)
    return row, token.value


def change(row: SessionToken, **fields: Any) -> None:
    """Behind our back."""
    SessionToken.objects.filter(pk=row.pk).update(**fields)
    row.refresh_from_db()


def test_a_token_has_a_prefix_of_its_own_and_only_a_digest_is_kept(alice: User) -> None:
    row, token = SessionToken.mint(alice)
    assert token.value.startswith(f"cgs_{row.public_id}_")
    assert tokens.parse(token.value) == token
    values = repr(SessionToken.objects.filter(pk=row.pk).values().get())
    assert token.value.rpartition("_")[2][:-4] not in values
    assert row.last_four == token.value[-4:]


def test_it_lasts_two_weeks_and_a_day_without_use_unless_told_otherwise(alice: User) -> None:
    row, _ = mint(alice)
    assert row.expires_at - row.created_at == timedelta(days=14)
    assert row.idle_expires_at - row.created_at == timedelta(hours=24)
    other, _ = mint(alice, lifetime=timedelta(hours=2), idle_lifetime=timedelta(minutes=10))
    assert other.expires_at - other.created_at == timedelta(hours=2)
    assert other.idle_expires_at - other.created_at == timedelta(minutes=10)


def test_where_it_was_signed_in_from_is_kept(alice: User) -> None:
    row, _ = mint(alice, ip="2001:db8::7", user_agent="x" * 500)
    assert (row.ip, row.user_agent) == ("2001:db8::7", "x" * 300)


@pytest.mark.parametrize(
    "details", [{"name": "x" * 101}, {"ip": "nowhere"}, {"idle_lifetime": SHORTEST_IDLE_LIFETIME / 2}]
)
def test_what_does_not_fit_makes_no_token(alice: User, details: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SessionToken.mint(alice, **details)
    assert not SessionToken.objects.exists()


def test_it_goes_by_its_name_or_its_user_s(alice: User) -> None:
    assert mint(alice)[0].principal().label == "alice"
    assert mint(alice, name="phone")[0].principal().label == "phone"


def test_its_scopes_narrow(alice: User) -> None:
    assert mint(alice, scopes=[ECHO, "tools_app.call_restock"])[0].principal().permissions == {ECHO}
    assert mint(alice, scopes=[])[0].principal().permissions == frozenset()


async def test_use_keeps_it_alive_and_is_noted_once_a_minute(alice: User) -> None:
    row, secret = await in_thread(lambda: mint(alice))
    earlier = timezone.now() - timedelta(minutes=10)
    soon = timezone.now() + timedelta(minutes=1)
    await in_thread(lambda: change(row, last_used_at=earlier, idle_expires_at=soon))
    assert (await knock(secret)).status == 200
    await settled()
    await row.arefresh_from_db()
    assert row.last_used_at is not None
    assert row.idle_expires_at - row.last_used_at == pytest.approx(timedelta(hours=24), abs=timedelta(seconds=1))
    noted = row.last_used_at
    assert (await knock(secret)).status == 200
    await settled()
    await row.arefresh_from_db()
    assert row.last_used_at == noted


async def test_left_idle_it_is_over_though_its_days_are_not(alice: User) -> None:
    row, secret = await in_thread(lambda: mint(alice))
    await in_thread(lambda: change(row, idle_expires_at=timezone.now()))
    assert (await knock(secret)).status == 401
    assert await in_thread(lambda: row.status) == "expired"


async def test_busy_as_it_is_its_days_are_counted(alice: User) -> None:
    row, secret = await in_thread(lambda: mint(alice))
    await in_thread(lambda: change(row, expires_at=timezone.now()))
    assert (await knock(secret)).status == 401
    assert await in_thread(lambda: row.status) == "expired"


async def test_a_refused_try_does_not_keep_it_alive(alice: User) -> None:
    row, secret = await in_thread(lambda: mint(alice))
    over = timezone.now() - timedelta(minutes=1)
    await in_thread(lambda: change(row, idle_expires_at=over))
    await knock(secret)
    await settled()
    await row.arefresh_from_db()
    assert (row.idle_expires_at, row.last_used_at) == (over, None)


async def test_holding_a_stream_open_is_use(alice: User) -> None:
    row, _ = await in_thread(lambda: mint(alice))
    [principal] = (await in_thread(lambda: credentials.current([row.credential]))).values()
    assert principal.credential == row.credential
    await settled()
    await row.arefresh_from_db()
    assert row.last_used_at is not None


def test_of_many_only_the_valid_ones_are_current(alice: User, bob: User) -> None:
    good, idle, aged, revoked, inactive = (mint(user)[0] for user in (alice, alice, alice, alice, bob))
    change(idle, idle_expires_at=timezone.now())
    change(aged, expires_at=timezone.now())
    revoked.revoke("by alice: lost")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    rows = (good, idle, aged, revoked, inactive)
    assert list(credentials.current([row.credential for row in rows])) == [good.credential]


def test_revoking_says_by_whom_and_why_and_whether_it_did(alice: User) -> None:
    row, _ = mint(alice)
    assert row.revoke("by alice: lost phone")
    assert not row.revoke("again")
    row.refresh_from_db()
    assert row.revoked_reason == "by alice: lost phone"
    assert row.revoked_at is not None
    assert SessionToken.objects.all().revoke() == 0


def test_a_reason_of_any_length_fits(alice: User) -> None:
    row, _ = mint(alice)
    assert row.revoke("x" * 5000)
    row.refresh_from_db()
    assert row.revoked_reason == "x" * 200


def test_who_was_deactivated_while_signing_in_gets_none(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(Unauthenticated):
        SessionToken.mint(alice)
    User.objects.filter(pk=alice.pk).delete()
    with pytest.raises(Unauthenticated):
        SessionToken.mint(alice)
