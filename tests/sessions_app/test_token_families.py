"""Refresh tokens work once; a second use ends all that came of the same sign-in."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import RefreshToken, SessionToken, TokenFamily, User
from sessions_app.models.refresh_token import USED_TWICE
from sessions_app.pool import background_pool
from tests.conftest import key_for

NEW_KEY = "the key that was rotated in yesterday evening"


def redeem(token: tokens.Token) -> tokens.Token:
    return RefreshToken.objects.redeem(token.value)[1]


def refused(value: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        RefreshToken.objects.redeem(value)
    return caught.value.reason


def test_a_family_lasts_thirty_days_from_the_sign_in(alice: User) -> None:
    family, first = TokenFamily.open(alice, ip="10.0.0.7", user_agent="curl/8")
    assert family.expires_at - family.created_at == timedelta(days=30)
    assert (family.ip, family.user_agent) == ("10.0.0.7", "curl/8")
    before = family.expires_at
    same, _ = RefreshToken.objects.redeem(first.value)
    assert same == family
    assert same.expires_at == before
    assert same.last_used_at is None  # as it was read
    family.refresh_from_db()
    assert family.last_used_at is not None


def test_a_refresh_token_is_a_secret_of_its_own_kind_of_which_a_digest_is_kept(alice: User) -> None:
    _, first = TokenFamily.open(alice)
    assert first.value.startswith("cgr_")
    assert first.value.rpartition("_")[2][:20] not in repr(list(RefreshToken.objects.values_list()))


def test_each_works_once_and_gives_the_next(alice: User) -> None:
    _, token = TokenFamily.open(alice)
    seen = {token.value}
    for _ in range(5):
        token = redeem(token)
        seen.add(token.value)
    assert len(seen) == 6
    assert RefreshToken.objects.filter(used_at=None).count() == 1


@pytest.mark.parametrize("again", [0, 1, 2])
def test_a_used_one_ends_the_family(alice: User, again: int, caplog: pytest.LogCaptureFixture) -> None:
    family, token = TokenFamily.open(alice)
    chain = [token]
    for _ in range(3):
        chain.append(redeem(chain[-1]))
    caplog.set_level(logging.WARNING)
    assert refused(chain[again].value)
    family.refresh_from_db()
    assert family.revoked_reason == USED_TWICE
    assert refused(chain[-1].value)  # nor does the newest one work any more
    assert f"{family.prefix} of alice" in caplog.text
    assert not any(link.value in caplog.text for link in chain)


def test_another_family_of_the_same_user_stays(alice: User) -> None:
    _, stolen = TokenFamily.open(alice)
    _, other = TokenFamily.open(alice)
    redeem(stolen)
    refused(stolen.value)
    redeem(other)


def test_of_two_at_the_same_moment_one_wins_and_the_other_ends_the_family(alice: User) -> None:
    for _ in range(10):
        family, token = TokenFamily.open(alice)
        barrier = Barrier(2)

        def attempt(token: tokens.Token = token, barrier: Barrier = barrier) -> bool:
            barrier.wait(5)
            try:
                redeem(token)
            except Unauthenticated:
                return False
            finally:
                connections.close_all()
            return True

        with ThreadPoolExecutor(2) as both:
            outcomes = [future.result() for future in [both.submit(attempt) for _ in range(2)]]
        assert sorted(outcomes) == [False, True]
        family.refresh_from_db()
        assert family.revoked_reason == USED_TWICE
        assert family.refresh_tokens.count() == 2


def test_what_is_no_refresh_token_is_refused_without_ending_anything(alice: User) -> None:
    family, token = TokenFamily.open(alice)
    wrong = [
        "", "cgr_", "x", token.value[:-1], f"{token.value}0", f"cgk{token.value[3:]}", key_for(alice),
        SessionToken.mint(alice)[1].value, tokens.mint(tokens.REFRESH_TOKEN).value, "é", "a.b.c", "\x00",
    ]  # fmt: skip
    for value in wrong:
        refused(value)
    family.refresh_from_db()
    assert family.is_valid
    redeem(token)


def revoke(family: TokenFamily) -> None:
    family.revoke("by alice")


def expire(family: TokenFamily) -> None:
    TokenFamily.objects.update(expires_at=timezone.now())


def deactivate(family: TokenFamily) -> None:
    User.objects.update(is_active=False)


def delete(family: TokenFamily) -> None:
    family.user.delete()


@pytest.mark.parametrize("end", [revoke, expire, deactivate, delete])
def test_what_ends_a_family_ends_its_refresh_tokens(alice: User, end: Any) -> None:
    family, token = TokenFamily.open(alice)
    end(family)
    assert refused(token.value) == "a refresh token that is unknown, over or used"


def test_the_end_of_a_family_cannot_be_rolled_back_with_a_caller_s_transaction(alice: User) -> None:
    _, token = TokenFamily.open(alice)
    with pytest.raises(RuntimeError), transaction.atomic():
        redeem(token)


def test_a_rotated_secret_key_does_not_end_it(alice: User, settings: Any) -> None:
    _, token = TokenFamily.open(alice)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW_KEY, [settings.SECRET_KEY]
    successor = redeem(token)
    settings.SECRET_KEY_FALLBACKS = []
    redeem(successor)


def test_a_family_is_no_credential_that_can_be_shown(alice: User) -> None:
    from sessions_app.credentials import identify

    family, token = TokenFamily.open(alice)

    def kinds() -> None:
        for value in (family.prefix, token.value, f"cgf{token.value[3:]}"):
            with pytest.raises(Unauthenticated):
                identify(value)

    background_pool.submit(kinds).result()
