"""API keys, outside in: what opens the door, how wide, and for how long."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, Permission
from django.core import serializers
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app import tokens
from sessions_app.callers import callers
from sessions_app.credentials import identify
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import ApiKey, User
from sessions_app.pool import background_pool, identity_pool
from sessions_app.recent import LIFETIME
from tests.conftest import key_for, wire_for
from tests.wire import Answer, Wire

ECHO = "tools_app.call_echo"
ORDER = "tools_app.call_order"
RESTOCK = "tools_app.call_restock"
CLOSE_SHOP = "sessions_app.delete_user"
NEW_KEY = "the key that was rotated in yesterday evening"


async def in_thread[T](job: Callable[[], T]) -> T:
    """Django code, beside the loop."""
    return await sync_to_async(job)()


async def tools_of(wire: Wire) -> set[str]:
    return {tool["name"] for tool in (await wire.ask("tools/list")).result["tools"]}


async def knock(secret: str | None, **headers: str) -> Answer:
    """An empty-handed or a full-handed try to list tools."""
    return await Wire(secret).ask("tools/list", headers=headers)


async def settled() -> None:
    """Until what runs off the reply's path has run, and nobody is remembered."""
    await asyncio.to_thread(background_pool.close)
    callers.forget()


def everything(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return answer.status, answer.headers, answer.body


# --- The secret itself ---


def test_a_key_has_a_prefix_for_scanners_a_public_id_and_a_secret() -> None:
    token = tokens.mint(tokens.API_KEY)
    assert re.fullmatch(r"cgk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", token.value)
    assert token.value.startswith(f"cgk_{token.public_id}_")
    assert tokens.parse(token.value) == token


def test_no_two_keys_are_alike() -> None:
    minted = [tokens.mint(tokens.API_KEY) for _ in range(200)]
    assert len({token.value for token in minted}) == len({token.public_id for token in minted}) == 200


def test_a_secret_is_not_in_its_repr(alice: User) -> None:
    key, token = ApiKey.mint(alice, "laptop")
    hidden = token.value.removeprefix(f"{key.prefix}_")
    for shown in (repr(token), f"{token!r}", repr(key), str(key), repr([token])):
        assert hidden not in shown
        assert token.public_id in shown or "…" in shown


def test_every_wrong_character_breaks_the_checksum() -> None:
    value = tokens.mint(tokens.API_KEY).value
    for position in range(len(value)):
        for other in "0aZ_-é":
            if other != value[position]:
                assert tokens.parse(value[:position] + other + value[position + 1 :]) is None


def test_swapped_characters_break_the_checksum() -> None:
    value = tokens.mint(tokens.API_KEY).value
    for position in range(len(value) - 1):
        pair = value[position : position + 2]
        if pair[0] != pair[1]:
            assert tokens.parse(value[:position] + pair[::-1] + value[position + 2 :]) is None


async def test_a_wrong_checksum_costs_no_query(alice: User, secret: str) -> None:
    def queries(value: str) -> int:
        with CaptureQueriesContext(connection) as captured, suppress(Unauthenticated):
            identify(value)
        return len(captured)

    mistyped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    invented = tokens.mint(tokens.API_KEY).value
    for value in (
        mistyped,
        secret[:-1],
        secret + "0",
        "cgk_",
        "cgk_x_y",
        f"CGK{secret[3:]}",
        f"cgt{secret[3:]}",
        "x",
    ):
        assert await identity_pool.run(partial(queries, value)) == 0
    assert await identity_pool.run(partial(queries, invented)) == 2  # one asks whether it was revoked, and why
    assert await identity_pool.run(partial(queries, secret)) == 2


# --- What is kept ---


def test_the_row_holds_a_keyed_digest_and_no_secret(alice: User, settings: Any) -> None:
    key, token = ApiKey.mint(alice, "laptop")
    row = serializers.serialize("json", [ApiKey.objects.get(pk=key.pk)])
    secret_part = token.value.removeprefix(f"{key.prefix}_")
    assert all(secret_part[at : at + 8] not in row for at in range(len(secret_part) - 8))
    assert key.digest == tokens.digest(token, settings.SECRET_KEY)
    assert len(key.digest) == 64
    assert key.last_four == token.value[-4:]


def test_the_digest_is_for_this_key_and_this_purpose_alone(settings: Any) -> None:
    token = tokens.mint(tokens.API_KEY)
    again = tokens.Token("cgt", token.public_id, token.value)
    digests = {
        tokens.digest(token, settings.SECRET_KEY),
        tokens.digest(token, NEW_KEY),
        tokens.digest(again, settings.SECRET_KEY),
        tokens.purpose_key(settings.SECRET_KEY, "token/cgk").hex(),
        tokens.purpose_key(settings.SECRET_KEY, "request-state").hex(),
    }
    assert len(digests) == 5


async def test_the_secret_is_in_no_log(
    alice: User, secret: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DEBUG = True  # logs every query
    for name in (None, "mcp", "django", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    revoked = await in_thread(lambda: key_for(alice))
    await in_thread(lambda: ApiKey.objects.by_prefix(revoked).revoke())
    mistyped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    for value in (secret, revoked, mistyped):
        await knock(value)
        await knock(None, **{"x-api-key": value})
        await knock(value, **{"x-api-key": value})
        await knock(None, authorization=f"Basic {value}")
        await Wire(value).call("crash")
        await Wire(value).call("no-such-tool")
    await settled()
    assert 'FROM "sessions_api_key"' in caplog.text
    assert f"{revoked[:16]} is unknown, expired or revoked" in caplog.text
    for value in (secret, revoked, mistyped):
        assert value[17:60] not in caplog.text


# --- How wide ---


async def test_a_key_may_what_its_user_may(wire: Wire) -> None:
    tools = await tools_of(wire)
    assert {"echo", "order"} <= tools
    assert not {"restock", "close-shop"} & tools


async def test_scopes_narrow(alice: User, recorded: Any) -> None:
    wire = await wire_for(alice, scopes=[ECHO])
    assert await tools_of(wire) == {"echo"}
    assert (await wire.call("echo", {"text": "x"})).text == "x"
    assert (await wire.call("order", {"number": 1})).error["message"] == "Unknown tool: order"


@pytest.mark.parametrize(
    "scopes",
    [[], [RESTOCK], [CLOSE_SHOP], ["tools_app.call_nothing"], ["call_echo"], ["*"], [""], [RESTOCK, "echo"]],
)
async def test_scopes_never_widen(alice: User, scopes: list[str], recorded: Any) -> None:
    wire = await wire_for(alice, scopes=scopes)
    assert await tools_of(wire) == set()
    for name in ("echo", "restock", "close-shop"):
        assert (await wire.call(name)).status == 400


async def test_a_scope_works_once_its_user_has_the_permission(alice: User) -> None:
    wire = await wire_for(alice, scopes=[RESTOCK])
    await in_thread(lambda: alice.groups.add(Group.objects.get(name="Administrators")))
    assert await tools_of(wire) == {"restock"}


async def test_a_scope_stops_with_the_permission(alice: User) -> None:
    wire = await wire_for(alice, scopes=[ECHO, ORDER])
    assert await tools_of(wire) == {"echo", "order"}
    await in_thread(
        lambda: Group.objects.get(name="Members").permissions.remove(Permission.objects.get(codename="call_echo"))
    )
    callers.forget()
    assert await tools_of(wire) == {"order"}


async def test_a_user_in_no_group_may_nothing(charlie: User) -> None:
    assert await tools_of(await wire_for(charlie)) == set()


async def test_a_superuser_s_key_may_all_unless_it_is_narrowed(alice: User) -> None:
    await User.objects.aupdate(is_superuser=True)
    assert {"echo", "restock", "close-shop"} <= await tools_of(await wire_for(alice))
    assert await tools_of(await wire_for(alice, scopes=[RESTOCK])) == {"restock"}
    assert await tools_of(await wire_for(alice, scopes=["tools_app.call_nothing"])) == set()
    assert await tools_of(await wire_for(alice, scopes=[])) == set()


async def test_a_permission_of_one_s_own_counts_like_a_group_s(alice: User) -> None:
    await in_thread(lambda: alice.user_permissions.add(Permission.objects.get(codename="delete_user")))
    assert "close-shop" in await tools_of(await wire_for(alice))


# --- How long ---


async def expire(alice: User) -> None:
    await ApiKey.objects.aupdate(expires_at=timezone.now())


async def revoke(alice: User) -> None:
    await in_thread(ApiKey.objects.all().revoke)


async def deactivate(alice: User) -> None:
    await User.objects.aupdate(is_active=False)


async def delete_key(alice: User) -> None:
    await ApiKey.objects.all().adelete()


async def delete_user(alice: User) -> None:
    await in_thread(alice.delete)


class ASecondLater:
    @staticmethod
    def monotonic() -> float:
        return time.monotonic() + LIFETIME


ENDS = [expire, revoke, deactivate, delete_key, delete_user]


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_a_key_ends_it_within_a_second(
    secret: str, alice: User, end: Callable[[User], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await knock(secret)).status == 200
    await settled()
    assert (await knock(secret)).status == 200
    await end(alice)
    monkeypatch.setattr("sessions_app.recent.time", ASecondLater)
    assert (await knock(secret)).status == 401
    await settled()


async def test_a_key_expires_on_the_moment(secret: str, key: ApiKey) -> None:
    key.expires_at = timezone.now() + timedelta(minutes=1)
    await key.asave()
    assert (await knock(secret)).status == 200
    await settled()
    key.expires_at = timezone.now()
    await key.asave()
    assert not key.is_valid
    assert (await knock(secret)).status == 401


async def test_a_key_without_an_end_goes_on(secret: str, key: ApiKey) -> None:
    assert key.expires_at is None
    assert (await knock(secret)).status == 200


# --- Who is turned away, and how ---


async def test_all_bad_credentials_are_answered_alike(alice: User, bob: User) -> None:
    def make() -> list[str]:
        valid, expired, revoked, of_bob, elsewhere = (
            ApiKey.mint(user, "laptop") for user in (alice, alice, alice, bob, alice)
        )
        ApiKey.objects.filter(pk=expired[0].pk).update(expires_at=timezone.now() - timedelta(days=1))
        revoked[0].revoke()
        User.objects.filter(pk=bob.pk).update(is_active=False)
        elsewhere[0].delete()
        broken = valid[1].value[:-1] + ("0" if valid[1].value[-1] != "0" else "1")
        return [token.value for _, token in (expired, revoked, of_bob, elsewhere)] + [broken]

    bad = [*await in_thread(make), "cgk_", "cgk", "x", "null", "undefined", "a b", "é", "eyJhbGciOiJub25lIn0.e30."]
    answers = [await knock(value) for value in bad]
    answers += [await knock(None, **{"x-api-key": value}) for value in bad]
    answers += [
        await knock(None, authorization=value)
        for value in ("", "Bearer", "Bearer ", "Basic YWxpY2U6cHc=", "Digest x", bad[0], "Bearer\tx")
    ]
    answers.append(await knock(None, **{"x-api-key": ""}))
    assert {answer.status for answer in answers} == {401}
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="concierge", error="invalid_token"'
    assert answers[0].error["message"] == "The credential is not valid."
    assert all(everything(answer) == everything(answers[0]) for answer in answers)


async def test_no_credential_is_asked_for_one(alice: User) -> None:
    answer = await knock(None)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="concierge"'
    assert "A credential is required" in answer.error["message"]


async def test_a_refusal_is_json_rpc_with_the_request_s_id(alice: User) -> None:
    (message,) = (await knock(None)).messages
    assert message["jsonrpc"] == "2.0"
    assert message["id"] == 1
    assert message["error"]["code"] == -32600


async def test_two_credentials_are_one_too_many(secret: str) -> None:
    for other in (secret, "cgk_bad", ""):
        answer = await knock(secret, **{"x-api-key": other})
        assert answer.status == 400
        assert answer.error["message"] == "Send one credential, not two."


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
async def test_one_credential_twice_is_one_too_many(secret: str, name: str) -> None:
    wire = Wire(None)
    message = wire.request("tools/list")
    value = f"Bearer {secret}" if name == "authorization" else secret
    usual = [(header.encode(), text.encode()) for header, text in wire.headers(message).items()]
    twice = [(name.encode(), value.encode())] * 2
    assert (await wire.post(message, raw_headers=usual + twice)).status == 400


async def test_a_key_may_come_in_its_own_header(secret: str) -> None:
    assert (await knock(None, **{"x-api-key": secret})).status == 200
    assert (await knock(None, **{"x-api-key": f" {secret}\t"})).status == 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
async def test_the_scheme_is_read_in_any_case(secret: str, scheme: str) -> None:
    assert (await knock(None, authorization=f"{scheme}{secret}")).status == 200


async def test_a_basic_password_is_no_credential(secret: str) -> None:
    assert (await knock(None, authorization=f"Basic {secret}")).status == 401
