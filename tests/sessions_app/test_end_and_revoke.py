"""Ending a session for good: the credential goes with it, whatever its kind, and the client stays out."""

from typing import Any

import pytest

from sessions_app.models import ApiKey, OutsideIdentity, Session, SessionToken, TokenFamily, User
from tests.control_room import ControlRoom, list_of, make_staff, make_superuser
from tests.issuer import OutsideIssuer
from tests.rest import browser
from tests.sessions_app.eras import ERAS, Knock, everything
from tests.sessions_app.test_api_keys import in_thread, settled
from tests.sessions_app.test_kinds import Kind, access_token, api_key, outside_token, session_token
from tests.wire import Durable, Wire

MAKERS = [api_key, session_token, access_token, outside_token]


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest, alice: User, issuer: OutsideIssuer) -> Kind:
    made: Kind = request.param(alice, issuer)
    return made


def newest(user: User) -> Session:
    return user.mcp_sessions.order_by("-pk")[0]


def session(user: User | None, credential: str, **details: Any) -> Session:
    defaults = {"label": "laptop", "transport": "http", "protocol_version": "2025-11-25"}
    return Session.objects.create(user=user, credential=credential, **{**defaults, **details})


async def test_the_client_is_kept_out(knock: Knock, kind: Kind, alice: User) -> None:
    bad = everything(await knock("x"))
    assert (await knock(kind.secret)).status == 200
    await settled()
    row = await in_thread(lambda: newest(alice))
    assert await in_thread(lambda: row.end_and_revoke("by alice: lost laptop"))
    assert everything(await knock(kind.secret)) == bad
    await row.arefresh_from_db()
    assert row.ended_at is not None
    if row.transport == "http":  # a socket's was over when its client left
        assert row.end_reason == "by alice: lost laptop"


async def test_all_sessions_of_the_credential_end_and_no_others(
    kind: Kind, alice: User, issuer: OutsideIssuer
) -> None:
    await Durable.open(kind.secret)
    await Wire(kind.secret).ask("tools/list")
    other = await in_thread(lambda: api_key(alice, issuer))
    await Durable.open(other.secret)
    await settled()
    ended = await in_thread(lambda: alice.mcp_sessions.order_by("pk")[0])
    assert await in_thread(lambda: ended.end_and_revoke("lost"))
    assert [row.pk async for row in Session.objects.live()] == [(await in_thread(lambda: newest(alice))).pk]
    assert (await Wire(other.secret).ask("tools/list")).status == 200


def test_it_says_whether_there_was_something_to_take(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    row = session(alice, key.credential)
    assert row.end_and_revoke("lost")
    assert not row.end_and_revoke("again")
    key.refresh_from_db()
    assert key.revoked_reason == "lost"
    for gone in ("api-key:999999", "issuer:https://a.example#nobody", "nonsense", "browser"):
        assert not session(alice, gone).end_and_revoke("lost")
    assert not Session.objects.live().exists()


def test_a_guest_s_is_ended_and_that_is_all(db_for_threads: None) -> None:
    row = session(None, "guest:10.0.0.7/32")
    assert not row.end_and_revoke("too loud")
    row.refresh_from_db()
    assert (row.is_live, row.end_reason) == (False, "too loud")


def test_an_id_of_another_user_s_credential_takes_nothing(alice: User, bob: User) -> None:
    key, _ = ApiKey.mint(bob, "bob's")
    assert not session(alice, key.credential).end_and_revoke("odd")
    assert ApiKey.objects.valid().filter(pk=key.pk).exists()


def test_a_reason_of_any_length_fits(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    assert session(alice, key.credential).end_and_revoke("x" * 5000)


# --- In the admin ---


def test_an_operator_does_it_with_a_reason(alice: User) -> None:
    room = ControlRoom(make_superuser())
    token, _ = SessionToken.mint(alice)
    family, _ = TokenFamily.open(alice)
    rows = [session(alice, held.credential) for held in (token, family)]
    room.act("end_and_revoke", *rows, reason="lost laptop")
    assert "Ended: 2. Credentials revoked: 2; nothing to revoke: 0." in room.read(list_of(Session))
    for held in (token, family, *rows):
        held.refresh_from_db()
    assert {token.revoked_reason, family.revoked_reason} == {"by operator: lost laptop"}
    assert {row.end_reason for row in rows} == {"by operator: lost laptop"}
    room.act("end_and_revoke", rows[0])
    assert "Ended: 1. Credentials revoked: 0; nothing to revoke: 1." in room.read(list_of(Session))


def test_of_a_page_s_session_there_is_nothing_to_take(alice: User) -> None:
    """Its cookie signs in to the admin, and is no credential of MCP."""
    room = ControlRoom(make_superuser())
    signed_in, row = browser(alice), session(alice, "browser")
    room.act("end_and_revoke", row)
    assert "Ended: 1. Credentials revoked: 0; nothing to revoke: 1." in room.read(list_of(Session))
    row.refresh_from_db()
    assert not row.is_live
    assert signed_in.get("sessions/").status == 200


def test_who_may_only_end_sessions_may_not_revoke(charlie: User) -> None:
    key, _ = ApiKey.mint(charlie, "laptop")
    row = session(charlie, key.credential)
    for may in ("(view|change)_session$", "(view|change)_(session|apikey|sessiontoken|tokenfamily)$"):
        room = ControlRoom(make_staff(f"staff-{len(may)}", may=may))
        assert "end_and_revoke" not in room.read(list_of(Session))
        room.act("end_and_revoke", row)
        assert ApiKey.objects.valid().exists()
    staff = make_staff("staff", may="(view|change)_(session|apikey|sessiontoken|tokenfamily|outsideidentity)$")
    ControlRoom(staff).act("end_and_revoke", row)
    assert not ApiKey.objects.valid().exists()
    assert not OutsideIdentity.objects.exists()
