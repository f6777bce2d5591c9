"""JWTs of our own: what opens the door over both eras, and what looks like it and does not."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import jwt as pyjwt
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app import credentials, tokens
from sessions_app.callers import callers
from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt import own
from sessions_app.models import RefreshToken, RevokedToken, TokenFamily, User
from sessions_app.pool import identity_pool
from tests.sessions_app.eras import ERAS, Knock, everything
from tests.sessions_app.forged import FORGED, Good, raw, with_claims, with_header
from tests.sessions_app.test_api_keys import in_thread, settled
from tests.wire import Wire

pytestmark = pytest.mark.alike

ECHO = "tools_app.call_echo"
NEW_KEY = "the key that was rotated in yesterday evening"


@pytest.fixture(params=list(ERAS))
def knock(request: pytest.FixtureRequest) -> Knock:
    return ERAS[request.param]


@pytest.fixture
def family(alice: User) -> TokenFamily:
    return TokenFamily.open(alice)[0]


@pytest.fixture
def good(alice: User, bob: User, family: TokenFamily) -> Good:
    return Good(own.issue(family), family, TokenFamily.open(alice)[0], TokenFamily.open(bob)[0])


async def identified(secret: str) -> Any:
    callers.forget()
    return await identity_pool.run(lambda: credentials.identify(secret))


# --- What is good ---


def test_an_access_token_says_what_rfc_9068_wants_and_no_more(family: TokenFamily, settings: Any) -> None:
    token = own.issue(family)
    origin = settings.CONFIG.origin
    assert pyjwt.get_unverified_header(token) == {"typ": "at+jwt", "alg": "HS256", "kid": next(iter(own.ring()))}
    claims = pyjwt.decode(token, options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "jti", "fam"}
    assert (claims["iss"], claims["aud"], claims["sub"]) == (origin, f"{origin}/mcp", str(family.user_id))
    assert claims["exp"] - claims["iat"] == 600
    assert len(claims["jti"]) >= 22
    assert claims["fam"] == family.public_id


async def test_it_opens_the_door(knock: Knock, good: Good) -> None:
    assert (await knock(good.text)).status == 200


async def test_it_comes_as_a_bearer_alone(knock: Knock, good: Good) -> None:
    reference = everything(await knock("x"))
    for header in ("x-api-key", "x-session-token"):
        assert everything(await knock(None, **{header: good.text})) == reference


async def test_its_caller_is_the_family_not_the_token(good: Good) -> None:
    principal = await identified(good.text)
    assert principal.credential == f"family:{good.family.pk}"
    assert principal.label == principal.username == "alice"
    assert principal.proof != principal.credential


async def test_a_refreshed_token_continues_the_session(alice: User) -> None:
    family, refresh = await in_thread(lambda: TokenFamily.open(alice))
    first = await identified(own.issue(family))
    same, _ = await in_thread(lambda: RefreshToken.objects.redeem(refresh.value))
    assert (await identified(own.issue(same))).credential == first.credential


async def test_scopes_narrow(alice: User, recorded: Any) -> None:
    family, _ = await in_thread(lambda: TokenFamily.open(alice, scopes=[ECHO, "tools_app.call_restock"]))
    tools = (await Wire(own.issue(family)).ask("tools/list")).result["tools"]
    assert [tool["name"] for tool in tools] == ["echo"]


async def test_use_is_noted_with_the_family(good: Good) -> None:
    await identified(good.text)
    await settled()
    await good.family.arefresh_from_db()
    assert good.family.last_used_at is not None


def test_it_costs_three_queries_and_a_forged_one_none(good: Good) -> None:
    for secret, expected in ((good.text, 3), (f"{good.text[:-4]}AAAA", 0)):
        with CaptureQueriesContext(connection) as queries, suppress(Unauthenticated):
            credentials.identify(secret)
        assert len(queries) == expected


LEEWAYS: dict[str, Callable[[], dict[str, int]]] = {
    "exp": lambda: {"iat": int(time.time()) - 300, "exp": int(time.time()) - 27},
    "iat": lambda: {"iat": int(time.time()) + 27, "exp": int(time.time()) + 87},
    "nbf": lambda: {"nbf": int(time.time()) + 27},
}


@pytest.mark.parametrize("edge", LEEWAYS)
async def test_clocks_may_differ_by_half_a_minute(knock: Knock, good: Good, edge: str) -> None:
    assert (await knock(with_claims(**LEEWAYS[edge]())(good))).status == 200


# --- What is not ---


def test_there_are_many_ways() -> None:
    assert len(FORGED) > 200


async def test_none_of_the_forged_is_accepted_and_all_are_answered_alike(knock: Knock, good: Good) -> None:
    reference = everything(await knock("x"))
    assert reference[0] == 401
    assert (await knock(good.text)).status == 200
    wrong = []
    for name, forge in FORGED.items():
        callers.pardon()  # who guesses so often is not looked up any more
        secret = await in_thread(partial(forge, good))
        if everything(await knock(None, authorization=f"Bearer {secret}")) != reference:
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_one_is_refused_where_it_is_read(good: Good, name: str) -> None:
    """By every way in, such as the REST API: it is never another error."""
    with pytest.raises(Unauthenticated):
        credentials.identify(FORGED[name](good))


def test_the_forger_s_tools_make_a_good_one_if_nothing_is_changed(good: Good) -> None:
    """Or the cases above would prove nothing."""
    for forge in (with_claims(), with_header(), lambda good: raw(good.header, good.claims)):
        assert credentials.identify(forge(good)).username == "alice"


@pytest.mark.parametrize("length", [8 * 1024 + 1, 1024 * 1024])
def test_what_is_too_long_is_not_looked_into(good: Good, length: int) -> None:
    for text in ("." * length, good.text + "A" * length, "eyJ" + "[" * length + "." + "x."):
        with pytest.raises(Unauthenticated, match=r"^The credential is not valid\.$"):
            credentials.identify(text)


# --- What ends it ---


def revoke_family(good: Good) -> None:
    good.family.revoke("by alice")


def revoke_token(good: Good) -> None:
    claims = good.claims
    assert RevokedToken.objects.revoke(claims["iss"], claims["jti"], timezone.now(), "by alice: leaked")
    assert not RevokedToken.objects.revoke(claims["iss"], claims["jti"], timezone.now())


def expire_family(good: Good) -> None:
    TokenFamily.objects.filter(pk=good.family.pk).update(expires_at=timezone.now())


def deactivate(good: Good) -> None:
    User.objects.filter(pk=good.family.user_id).update(is_active=False)


def delete_user(good: Good) -> None:
    good.family.user.delete()


def change_password(good: Good) -> None:
    good.family.user.set_password("battery staple")
    good.family.user.save()


def move_the_moment(good: Good) -> None:
    User.objects.filter(pk=good.family.user_id).update(tokens_valid_after=timezone.now())


def reuse_refresh_token(good: Good) -> None:
    token = good.family.issue_refresh_token()
    RefreshToken.objects.redeem(token.value)
    with pytest.raises(Unauthenticated):
        RefreshToken.objects.redeem(token.value)


def change_scopes(good: Good) -> None:
    TokenFamily.objects.filter(pk=good.family.pk).update(scopes=[ECHO])


ENDS = [
    revoke_family, revoke_token, expire_family, deactivate, delete_user, change_password, move_the_moment,
    reuse_refresh_token, change_scopes,
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_it_is_answered_like_any_bad_one(
    knock: Knock, good: Good, end: Callable[[Good], None]
) -> None:
    reference = everything(await knock("x"))
    assert (await knock(good.text)).status == 200
    await settled()
    await in_thread(lambda: end(good))
    callers.forget()
    assert everything(await knock(good.text)) == reference


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_it_ends_its_streams(good: Good, end: Callable[[Good], None]) -> None:
    proof = credentials.identify(good.text).proof
    assert list(credentials.current([proof])) == [proof]
    end(good)
    assert credentials.current([proof]) == {}


def test_a_stream_ends_with_the_token_that_opened_it(good: Good, monkeypatch: pytest.MonkeyPatch) -> None:
    proof = credentials.identify(good.text).proof

    class Later:
        @staticmethod
        def time() -> float:
            return time.time() + 600 + 31

    monkeypatch.setattr("sessions_app.jwt.claims.time", Later)
    assert credentials.current([proof]) == {}


def test_one_revoked_token_leaves_its_family_alone(good: Good) -> None:
    other = own.issue(good.family)
    revoke_token(good)
    assert credentials.identify(other).username == "alice"


def test_another_issuer_s_revoked_token_of_the_same_id_is_another(good: Good) -> None:
    RevokedToken.objects.revoke("https://elsewhere.example", good.claims["jti"], timezone.now())
    assert credentials.identify(good.text).username == "alice"


async def test_a_stream_hears_of_it_within_a_second(good: Good, attached: None, quick: None) -> None:
    wire = Wire(good.text)
    params = {"notifications": {"toolsListChanged": True}}
    stream = wire.open(wire.request("subscriptions/listen", params))
    await stream.wait_for("acknowledged")
    await in_thread(lambda: revoke_token(good))
    async with asyncio.timeout(1):
        await stream.wait()


# --- SECRET_KEY ---


def test_keys_rotate_without_a_gap(good: Good, settings: Any) -> None:
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [old]
    assert credentials.identify(good.text).username == "alice"
    renewed = own.issue(good.family)
    assert pyjwt.get_unverified_header(renewed)["kid"] != good.header["kid"]
    assert credentials.identify(renewed).username == "alice"
    settings.SECRET_KEY_FALLBACKS = []
    assert credentials.identify(renewed).username == "alice"
    with pytest.raises(Unauthenticated):
        credentials.identify(good.text)


def test_a_fallback_key_signs_only_what_names_it(good: Good, settings: Any) -> None:
    old = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [old]
    crossed = raw(good.header, good.claims, tokens.purpose_key(NEW_KEY, "jwt"))
    with pytest.raises(Unauthenticated):
        credentials.identify(crossed)


def test_a_kid_says_nothing_about_its_key(settings: Any) -> None:
    [kid] = own.ring()
    assert len(kid) == 16
    assert kid not in tokens.purpose_key(settings.SECRET_KEY, "jwt").hex()
