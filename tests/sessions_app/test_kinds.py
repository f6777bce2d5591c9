"""Every kind of credential, over both eras: the same doors, the same refusals."""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from sessions_app.callers import callers
from sessions_app.jwt import own
from sessions_app.models import (
    ApiKey,
    OutsideIdentity,
    RefreshToken,
    RevokedToken,
    Session,
    SessionToken,
    TokenFamily,
    User,
)
from tests.issuer import OutsideIssuer
from tests.sessions_app.eras import ERAS, Knock, everything
from tests.sessions_app.test_api_keys import in_thread, settled
from tests.wire import Durable, Wire

pytestmark = pytest.mark.alike


@dataclass
class Kind:
    """One user's credential, and how it may end."""

    name: str
    secret: str
    header: str | None
    """Its own one, beside Bearer."""
    expire: Callable[[], object]
    revoke: Callable[[], object]
    is_got_for_a_password: bool = True


def api_key(user: User, issuer: OutsideIssuer) -> Kind:
    key, token = ApiKey.mint(user, "laptop")
    rows = ApiKey.objects.filter(pk=key.pk)
    return Kind("API key", token.value, "x-api-key", partial(over, rows), key.revoke, is_got_for_a_password=False)


def session_token(user: User, issuer: OutsideIssuer) -> Kind:
    row, token = SessionToken.mint(user)
    rows = SessionToken.objects.filter(pk=row.pk)
    return Kind("session token", token.value, "x-session-token", partial(over, rows), row.revoke)


def idle_session_token(user: User, issuer: OutsideIssuer) -> Kind:
    kind = session_token(user, issuer)
    kind.expire = lambda: SessionToken.objects.update(idle_expires_at=timezone.now())
    return kind


def access_token(user: User, issuer: OutsideIssuer) -> Kind:
    family, _ = TokenFamily.open(user)
    rows = TokenFamily.objects.filter(pk=family.pk)
    return Kind("JWT", own.issue(family), None, partial(over, rows), family.revoke)


def outside_token(user: User, issuer: OutsideIssuer) -> Kind:
    OutsideIdentity.objects.get_or_create(user=user, issuer=issuer.url, subject=user.username)
    now = int(time.time())
    secret = issuer.token(user.username, jti=f"{user.username}'s", iat=now - 10, exp=now + 300)
    revoke = partial(RevokedToken.objects.revoke, issuer.url, f"{user.username}'s", timezone.now())
    return Kind("outside JWT", secret, None, OutsideIdentity.objects.all().delete, revoke)


def over(rows: models.QuerySet[Any]) -> None:
    rows.update(expires_at=timezone.now())


MAKERS = [api_key, session_token, idle_session_token, access_token, outside_token]


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


@pytest.fixture(params=MAKERS)
def kind(request: pytest.FixtureRequest, alice: User, issuer: OutsideIssuer) -> Kind:
    made: Kind = request.param(alice, issuer)
    return made


async def refusal(knock: Knock) -> Any:
    """How any bad credential is answered."""
    answer = everything(await knock("x"))
    assert answer[0] == 401
    return answer


# --- The door ---


async def test_a_valid_one_opens_it_as_a_bearer_and_in_its_own_header(knock: Knock, kind: Kind) -> None:
    assert (await knock(kind.secret)).status == 200
    if kind.header is not None:
        assert (await knock(None, **{kind.header: kind.secret})).status == 200


async def test_no_kind_is_taken_in_another_s_header(knock: Knock, kind: Kind) -> None:
    reference = await refusal(knock)
    assert (await knock(kind.secret)).status == 200  # and is remembered
    for header in {"x-api-key", "x-session-token"} - {kind.header}:
        assert everything(await knock(None, **{header: kind.secret})) == reference


async def test_one_that_is_not_whole_is_refused(knock: Knock, kind: Kind) -> None:
    reference = await refusal(knock)
    broken = [
        kind.secret[:-1], kind.secret[1:], f"{kind.secret}x", kind.secret[:20], kind.secret.swapcase(),
        f"{kind.secret} {kind.secret}", f"{kind.secret},{kind.secret}", f'"{kind.secret}"', f"<{kind.secret}>",
        kind.secret.replace(kind.secret[25], "-", 1) + "-", kind.secret[::-1],
    ]  # fmt: skip
    for secret in broken:
        assert everything(await knock(secret)) == reference, secret
        if kind.header is not None:
            assert everything(await knock(None, **{kind.header: secret})) == reference


async def test_two_are_one_too_many_whatever_they_are(knock: Knock, kind: Kind, bob: User) -> None:
    other = await in_thread(lambda: ApiKey.mint(bob, "other")[1].value)
    token = await in_thread(lambda: SessionToken.mint(bob)[1].value)
    pairs: list[dict[str, str]] = [
        {"x-api-key": other}, {"x-session-token": token}, {"x-api-key": ""}, {"x-session-token": "x"},
        {"x-api-key": other, "x-session-token": token},
    ]  # fmt: skip
    for pair in pairs:
        answer = await knock(kind.secret, **pair)
        assert answer.status == 400
        assert answer.error["message"] == "Send one credential, not two."
    if kind.header is not None:
        assert (await knock(kind.secret, **{kind.header: kind.secret})).status == 400


QUERIES = [
    "token={}",
    "access_token={}",
    "api_key={}",
    "key={}",
    "Token={}",
    "x=1&apiKey={}",
    "%74oken={}",
    "jwt={}",
]


@pytest.mark.parametrize("query", QUERIES)
async def test_one_in_a_url_is_refused_and_not_repeated(kind: Kind, query: str) -> None:
    """With and without another in a header."""
    wire = Wire(kind.secret)
    for headers in ({}, {"authorization": None}):
        message = wire.request("tools/list")
        answer = await wire.post(message, headers=headers, query_string=query.format(kind.secret).encode())
        assert answer.status == 400
        assert answer.error["message"].startswith("A credential in a URL ends up in logs")
        assert kind.secret[10:30] not in answer.body.decode()
    durable = await Durable(kind.secret).post({}, query_string=query.format(kind.secret).encode())
    assert durable.status == 400
    assert durable.error["message"].startswith("A credential in a URL")


# --- The end ---


async def expire(kind: Kind, alice: User) -> None:
    await in_thread(kind.expire)


async def revoke(kind: Kind, alice: User) -> None:
    assert await in_thread(kind.revoke)


async def deactivate(kind: Kind, alice: User) -> None:
    await User.objects.filter(pk=alice.pk).aupdate(is_active=False)


async def delete_user(kind: Kind, alice: User) -> None:
    await in_thread(alice.delete)


End = Callable[[Kind, User], Awaitable[None]]
ENDS: list[End] = [expire, revoke, deactivate, delete_user]


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_it_is_answered_like_any_bad_one(knock: Knock, kind: Kind, alice: User, end: End) -> None:
    reference = await refusal(knock)
    assert (await knock(kind.secret)).status == 200
    await settled()
    await end(kind, alice)
    callers.forget()
    assert everything(await knock(kind.secret)) == reference
    if kind.header is not None:
        assert everything(await knock(None, **{kind.header: kind.secret})) == reference


@pytest.mark.parametrize("end", [expire, revoke, deactivate])
async def test_an_open_session_is_no_way_in_any_more(kind: Kind, alice: User, end: End) -> None:
    """Ids route, they never authenticate: a session of the handshake era goes with its credential."""
    client = await Durable.open(kind.secret)
    assert (await client.ask("tools/list")).status == 200
    await settled()
    await end(kind, alice)
    callers.forget()
    refused = await client.ask("tools/list")
    assert (refused.status, refused.error["message"]) == (401, "The credential is not valid.")


async def test_a_changed_password_ends_what_was_got_for_it(knock: Knock, kind: Kind, alice: User) -> None:
    reference = await refusal(knock)
    assert (await knock(kind.secret)).status == 200
    await settled()
    alice.set_password("battery staple")
    await alice.asave()
    callers.forget()
    answer = await knock(kind.secret)
    if kind.is_got_for_a_password:
        assert everything(answer) == reference
    else:
        assert answer.status == 200


# --- The log ---


async def test_a_session_is_logged_when_it_opens_and_not_each_call(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        await Wire(kind.secret).ask("tools/list")
    client = await Durable.open(kind.secret)
    for _ in range(3):
        await client.ask("tools/list")
    await settled()
    opened = [record.getMessage() for record in caplog.records if "authenticated" in record.getMessage()]
    assert len(opened) == 2
    for line in opened:
        assert line.startswith("User alice authenticated from 127.0.0.1 by ")
        assert line.endswith(": a session for pytest was opened")


async def test_a_refused_caller_is_logged_with_the_names_of_his_headers(
    knock: Knock, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    await knock(f"{kind.secret}x", **{"x-request-id": "a value", kind.secret.lower(): "a name"})
    [line] = [record.getMessage() for record in caplog.records if "Refused" in record.getMessage()]
    assert re.match(r"Refused \(401 bad-credential\) over (http|websocket) from 127\.0\.0\.1: ", line)
    assert "authorization" in line
    assert "x-request-id" in line
    assert "a value" not in line
    assert kind.secret.lower()[14:40] not in line


async def test_no_secret_is_in_the_log_or_in_a_row(
    kind: Kind, alice: User, settings: Any, caplog: pytest.LogCaptureFixture, recorded: Any
) -> None:
    settings.DEBUG = True  # logs every query
    for name in (None, "mcp", "django", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    for end in (None, revoke):
        if end is not None:
            await end(kind, alice)
            callers.forget()
        for knock in ERAS.values():
            await knock(kind.secret)
            await knock(f"{kind.secret}x")
            await knock(None, **{"x-api-key": kind.secret})
            await knock(None, **{"x-session-token": kind.secret})
            await knock(kind.secret, **{"x-api-key": kind.secret})
            await knock(None, authorization=f"Basic {kind.secret}")
        await Wire(kind.secret).call("crash")
    await recorded()
    await settled()
    hidden = kind.secret[-60:-10]
    assert hidden not in caplog.text
    assert hidden not in await in_thread(everything_stored)


def everything_stored() -> str:
    kept = (ApiKey, SessionToken, TokenFamily, RefreshToken, RevokedToken, OutsideIdentity, Session, User)
    return repr([list(model._base_manager.values_list()) for model in kept])
