"""What using an API key leaves behind, what rotating SECRET_KEY does; and keys answer only for themselves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.utils import timezone

from sessions_app import credentials, tokens
from sessions_app.callers import callers
from sessions_app.credentials import identify
from sessions_app.models import ApiKey, User
from tests.conftest import key_for, wire_for
from tests.sessions_app.test_api_keys import deactivate, expire, in_thread, knock, revoke, settled, tools_of
from tests.wire import Wire

ECHO = "tools_app.call_echo"
NEW_KEY = "the key that was rotated in yesterday evening"


async def last_use(key: ApiKey) -> Any:
    await settled()
    await key.arefresh_from_db()
    return key.last_used_at


async def test_a_use_is_noted_at_most_once_a_minute(secret: str, key: ApiKey) -> None:
    assert key.last_used_at is None
    before = timezone.now()
    await knock(secret)
    first = await last_use(key)
    assert before <= first <= timezone.now()
    for _ in range(3):
        await knock(secret)
        assert await last_use(key) == first
    earlier = timezone.now() - timedelta(seconds=61)
    await ApiKey.objects.aupdate(last_used_at=earlier)
    await knock(secret)
    assert await last_use(key) > first


async def test_a_use_of_half_a_minute_ago_is_recent_enough(secret: str, key: ApiKey) -> None:
    earlier = timezone.now() - timedelta(seconds=30)
    await ApiKey.objects.aupdate(last_used_at=earlier)
    await knock(secret)
    assert await last_use(key) == earlier


@pytest.mark.parametrize("end", [expire, revoke, deactivate])
async def test_a_refused_try_is_no_use(
    secret: str, key: ApiKey, alice: User, end: Callable[[User], Awaitable[None]]
) -> None:
    await end(alice)
    await knock(secret)
    assert await last_use(key) is None


async def test_noting_a_use_changes_nothing_else(secret: str, key: ApiKey) -> None:
    before = json.loads(await in_thread(lambda: serializers.serialize("json", [key])))[0]["fields"]
    await knock(secret)
    assert await last_use(key) is not None
    after = json.loads(await in_thread(lambda: serializers.serialize("json", [key])))[0]["fields"]
    assert {name for name in after if after[name] != before[name]} == {"last_used_at"}


async def test_a_use_that_cannot_be_noted_does_not_fail_the_call(
    secret: str, key: ApiKey, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(ApiKey, "note_use", broken)
    assert (await knock(secret)).status == 200
    await settled()
    assert "A background job failed" in caplog.text


async def test_many_first_calls_at_once_are_read_twice(
    alice: User, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once to know whose calls they are, and once more after it is known at which epoch of his authority."""
    read = []

    def counted(value: str, address: str | None) -> Any:
        read.append(value)
        return identify(value, address)

    monkeypatch.setattr(credentials, "identify", counted)
    answers = await asyncio.gather(*(knock(secret) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert read == [secret] * 2


def test_who_may_the_same_share_what_is_remembered_of_it(alice: User, bob: User) -> None:
    assert alice.permission_names() is bob.permission_names()
    bob.groups.clear()
    assert bob.permission_names() < alice.permission_names()


async def test_one_user_s_key_never_answers_for_another(alice: User, bob: User, recorded: Any) -> None:
    alices, bobs = await wire_for(alice), await wire_for(bob)
    for _ in range(3):
        for wire, name in ((alices, "alice"), (bobs, "bob")):
            answer = await wire.ask("resources/read", {"uri": "shop://items/tea"})
            assert answer.result["contents"][0]["text"] == f"tea for {name}"


async def test_two_keys_of_one_user_keep_to_their_own_scopes(alice: User) -> None:
    wide, narrow = Wire(await in_thread(lambda: key_for(alice))), await wire_for(alice, scopes=[ECHO])
    for _ in range(2):
        assert "order" in await tools_of(wide)
        assert await tools_of(narrow) == {"echo"}


# --- SECRET_KEY ---


async def test_another_secret_key_does_not_find_it(secret: str, settings: Any) -> None:
    assert (await knock(secret)).status == 200
    settings.SECRET_KEY = NEW_KEY
    callers.forget()
    assert (await knock(secret)).status == 401


async def test_a_rotated_secret_key_finds_it_under_its_fallback(secret: str, key: ApiKey, settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, ["yet another", settings.SECRET_KEY]
    assert (await knock(secret)).status == 200
    await settled()
    # Its use was noted, and with it a digest under the new key: the fallback can go.
    token = tokens.parse(secret)
    assert token is not None
    await key.arefresh_from_db()
    assert key.digest == tokens.digest(token, NEW_KEY)
    settings.SECRET_KEY_FALLBACKS = []
    assert (await knock(secret)).status == 200
    await settled()


async def test_rotation_is_noted_at_once_though_the_key_was_used_just_now(
    secret: str, key: ApiKey, settings: Any
) -> None:
    await knock(secret)
    await settled()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [settings.SECRET_KEY]
    await knock(secret)
    await settled()
    settings.SECRET_KEY_FALLBACKS = []
    assert (await knock(secret)).status == 200
    await settled()


async def test_a_fallback_does_not_revive_what_was_revoked(secret: str, settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [settings.SECRET_KEY]
    await in_thread(ApiKey.objects.all().revoke)
    assert (await knock(secret)).status == 401
