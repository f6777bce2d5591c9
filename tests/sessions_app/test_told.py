"""What an operator wants a client to know of its end: told to whoever proves that it was his, and to no other."""

import asyncio
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import ApiKey, Session, SessionToken, TokenFamily, User
from sessions_app.pool import identity_pool
from sessions_app.transport.closing import ENDED, UNAUTHENTICATED, closing_for
from tests.conftest import key_for
from tests.issuer import OutsideIssuer
from tests.rest import Rest
from tests.sessions_app.eras import ERAS, OVER_HTTP, Knock, everything
from tests.sessions_app.test_api_keys import in_thread
from tests.sessions_app.test_kinds import Kind, access_token, api_key, session_token
from tests.socket import SocketWire
from tests.wire import Durable, Wire

WHY = "moved to the new server"
NOTE = "by operator: moved to the new server"
ENDED_FOR = f"This session was ended: {WHY}"
REVOKED_FOR = f"The credential was revoked: {WHY}"


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


@pytest.fixture(params=[api_key, session_token, access_token])
def kind(request: pytest.FixtureRequest, alice: User, issuer: OutsideIssuer) -> Kind:
    made: Kind = request.param(alice, issuer)
    return made


async def end(**tell: str) -> None:
    await identity_pool.run(lambda: Session.objects.all().end(NOTE, **tell))


async def end_and_revoke(tell: str = WHY) -> None:
    await identity_pool.run(lambda: Session.objects.get().end_and_revoke(NOTE, tell))


def revoke_all(tell: str = WHY) -> None:
    for model in (ApiKey, SessionToken, TokenFamily):
        model.objects.all().revoke(NOTE, tell)


# --- Of a session ---


async def test_the_next_request_of_an_ended_session_is_told_why(durable: Durable) -> None:
    await end(tell=WHY)
    for answer in (await durable.ask("tools/list"), await durable.notify("notifications/initialized")):
        assert (answer.status, answer.error) == (404, {"code": -32001, "message": ENDED_FOR})
    assert (await durable.open_get().wait()).error["message"] == ENDED_FOR
    assert (await durable.delete()).error["message"] == ENDED_FOR


async def test_nobody_else_learns_that_it_was_there(durable: Durable, alice: User, bob: User) -> None:
    await end(tell=WHY)
    for user in (alice, bob):
        other = durable.with_key(await in_thread(lambda user=user: key_for(user)))  # type: ignore[misc]
        message = durable.request("tools/list")
        never = everything(await other.with_id("x" * 43).post(message))
        assert everything(await other.post(message)) == never
    assert (await durable.with_key(None).ask("tools/list")).status == 401
    unsaid = await durable.with_id("y" * 43).ask("tools/list")
    assert unsaid.error["message"] == "Session not found"


async def test_without_a_word_it_is_as_if_it_had_never_been(durable: Durable) -> None:
    message = durable.request("tools/list")
    never = everything(await durable.with_id("x" * 43).post(message))
    await end()
    assert everything(await durable.post(message)) == never


async def test_an_operator_s_note_and_name_stay_with_operators(durable: Durable) -> None:
    await end(tell=WHY)
    answer = await durable.ask("tools/list")
    assert b"operator" not in answer.body
    row = await Session.objects.aget()
    assert (row.end_reason, row.end_message) == (NOTE, WHY)


async def test_a_call_in_flight_is_told_why(durable: Durable, wire: Wire, attached: None, quick: None) -> None:
    old = durable.begin("wait", {"seconds": 5})
    new = wire.open(wire.request("tools/call", {"name": "wait", "arguments": {"seconds": 5}}))
    while not all([await Session.objects.acount() == 2, len(ends_of_calls()) == 2]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await end(tell=WHY)
    for call in (old, new):
        answer = await call.wait()
        assert (answer.status, answer.error["message"]) == (404, ENDED_FOR)


def ends_of_calls() -> list[Any]:
    from sessions_app.transport.ends import ends

    return [call for calls in ends._calls.values() for call in calls]


async def test_a_listener_is_told_why(wire: Wire, attached: None, quick: None) -> None:
    stream = wire.open(wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    await stream.wait_for("acknowledged")
    await end(tell=WHY)
    assert (await stream.wait()).messages[-1]["error"]["message"] == ENDED_FOR


@pytest.mark.parametrize("opening", [SocketWire.open, SocketWire.shake_hands])
@pytest.mark.parametrize("is_busy", [False, True])
async def test_a_socket_is_closed_with_it(
    alice: User, opening: Any, is_busy: bool, attached: None, quick: None
) -> None:
    client = await opening(await in_thread(lambda: key_for(alice)))
    await client.ask("tools/list")
    if is_busy:
        client.calling("wait", {"seconds": 5})
    await end(tell=WHY)
    assert await client.line.over() == (4403, ENDED_FOR)


# --- Of a credential ---


async def test_whoever_shows_a_revoked_one_is_told_why(knock: Knock, kind: Kind) -> None:
    assert (await knock(kind.secret)).status == 200
    await in_thread(revoke_all)
    answer = await knock(kind.secret)
    assert (answer.status, answer.error["message"]) == (401, REVOKED_FOR)
    challenge = answer.headers["www-authenticate"]
    assert challenge == f'Bearer realm="concierge", error="invalid_token", error_description="{REVOKED_FOR}"'
    assert b"operator" not in answer.body


async def test_ending_and_revoking_tells_both(knock: Knock, kind: Kind) -> None:
    assert (await knock(kind.secret)).status == 200
    row = await Session.objects.aget()
    assert await in_thread(lambda: row.end_and_revoke(NOTE, WHY))
    assert (await knock(kind.secret)).error["message"] == REVOKED_FOR


async def test_whoever_guesses_learns_nothing(knock: Knock, alice: User) -> None:
    """Right is the public id, which lists and logs show; the rest is invented, with a checksum that fits."""
    key, _ = await in_thread(lambda: ApiKey.mint(alice, "laptop"))
    await in_thread(revoke_all)
    invented = tokens.mint(tokens.API_KEY, key.public_id)
    assert everything(await knock(invented.value)) == everything(await knock("x"))


async def test_without_a_word_a_revoked_one_is_any_bad_one(knock: Knock, kind: Kind) -> None:
    await in_thread(lambda: revoke_all(""))
    assert everything(await knock(kind.secret)) == everything(await knock("x"))


def test_a_word_is_for_what_was_revoked_and_not_for_what_ran_out(alice: User) -> None:
    key, token = ApiKey.mint(alice, "laptop")
    ApiKey.objects.update(revoked_message="left over")
    assert ApiKey.message_for(token) == ""
    assert ApiKey.messages([key.pk]) == {}


def test_rest_tells_it_too(alice: User, issuer: OutsideIssuer) -> None:
    for make in (api_key, session_token, access_token):
        made = make(alice, issuer)
        revoke_all()
        assert Rest(made.secret).get("keys/").problem["detail"] == REVOKED_FOR


@pytest.mark.parametrize("opening", [SocketWire.open, SocketWire.shake_hands])
async def test_an_idle_socket_is_closed_with_it(kind: Kind, opening: Any, attached: None, quick: None) -> None:
    client = await opening(kind.secret)
    await client.ask("tools/list")
    await identity_pool.run(revoke_all)
    assert await client.line.over() == (4401, REVOKED_FOR)


@pytest.mark.parametrize("opening", [SocketWire.open, SocketWire.shake_hands])
async def test_so_is_one_that_asks_before_anybody_looked(kind: Kind, opening: Any) -> None:
    client = await opening(kind.secret)
    await client.ask("tools/list")
    await identity_pool.run(revoke_all)
    answer = await client.ask("tools/list")
    assert answer.error == {"code": 4401, "message": REVOKED_FOR}


async def test_calls_and_streams_in_flight_are_told_why(kind: Kind, attached: None, quick: None) -> None:
    wire, durable = Wire(kind.secret), await Durable.open(kind.secret)
    stream = wire.open(wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    await stream.wait_for("acknowledged")
    call = durable.begin("wait", {"seconds": 5})
    while len(ends_of_calls()) < 2:  # noqa: ASYNC110 (there is no event)
        await asyncio.sleep(0.01)
    await identity_pool.run(revoke_all)
    assert (await stream.wait()).messages[-1]["error"]["message"] == REVOKED_FOR
    assert (await call.wait()).error["message"] == REVOKED_FOR


# --- The words ---


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (" two\r\n lines\t", "two lines"),
        ("\x1b[31mred\u202e", "\\x1b[31mred\\u202e"),
        ("é" * 500, "é" * 100),
        ("<b>", "<b>"),
    ],
)
def test_they_are_one_visible_line(alice: User, typed: str, told: str) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    row = Session.objects.create(
        user=alice, credential=key.credential, transport="http", protocol_version="2025-11-25"
    )
    assert row.end_and_revoke(NOTE, typed)
    key.refresh_from_db()
    row.refresh_from_db()
    assert key.revoked_message == row.end_message == told


@pytest.mark.parametrize("text", ["é" * 100, "x" * 100, "日" * 100, "🦊" * 100])
def test_a_close_frame_has_room_for_whole_characters(text: str) -> None:
    close = closing_for(Unauthenticated("", told=text))
    assert close is not None
    assert 119 < len(close.reason.encode()) <= 123
    assert close.reason.removeprefix("The credential was revoked: ") in text


def test_without_words_a_close_says_what_it_always_said() -> None:
    from sessions_app.exceptions import SessionNotFound

    assert closing_for(Unauthenticated("")) == UNAUTHENTICATED
    assert closing_for(SessionNotFound()) == ENDED


@pytest.mark.parametrize("text", ['a "quoted" \\ word', "é日🦊"])
async def test_a_header_holds_what_a_header_may(text: str, alice: User) -> None:
    secret = await in_thread(lambda: key_for(alice))
    await in_thread(lambda: revoke_all(text))
    answer = await OVER_HTTP["2026-07-28"](secret)
    assert answer.error["message"] == f"The credential was revoked: {text}"
    _, _, described = answer.headers["www-authenticate"].partition('error_description="')
    inside = described.removesuffix('"')
    assert inside.isascii()
    assert inside.isprintable()
    assert not set(inside) & set('"\\')


def test_an_operator_says_it_at_the_command_line(alice: User) -> None:
    key, token = ApiKey.mint(alice, "laptop")
    call_command("revoke", key.prefix, "--reason", "leaked", "--tell", WHY, stdout=StringIO())
    key.refresh_from_db()
    assert (key.revoked_reason, key.revoked_message) == ("with manage.py revoke: leaked", WHY)
    assert Rest(token.value).get("keys/").problem["detail"] == REVOKED_FOR
