"""Signing in over REST: for a session token or a pair of JWTs, which are renewed, and ended."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from sessions_app.models import SessionToken, TokenFamily, User
from sessions_app.models.refresh_token import USED_TWICE
from tests.conftest import key_for
from tests.rest import Answer, Rest
from tests.sessions_app.hashing import hashed
from tests.wire import Wire

RIGHT = {"username": "alice", "password": "correct horse"}
WRONG = {"username": "alice", "password": "hunter2"}
DOORS = ["token/", "session-tokens/"]

door = pytest.mark.parametrize("path", DOORS)


def sign_in(client: Rest | None = None) -> dict[str, Any]:
    pair: dict[str, Any] = (client or Rest()).post("token/", RIGHT).data
    return pair


def works(secret: str) -> bool:
    return asyncio.run(Wire(secret).ask("tools/list")).status == 200


def test_a_password_gets_a_pair_of_tokens(alice: User) -> None:
    answer = Rest(ip="10.0.0.7").post("token/", RIGHT, headers={"user-agent": "curl/8"})
    assert answer.status == 200
    assert set(answer.data) == {"access", "refresh", "expires_in"}
    assert answer.data["expires_in"] == 600
    assert works(answer.data["access"])
    family = TokenFamily.objects.get()
    assert (family.user, family.ip, family.user_agent) == (alice, "10.0.0.7", "curl/8")


def test_a_password_gets_a_session_token(alice: User) -> None:
    answer = Rest(ip="10.0.0.7").post("session-tokens/", RIGHT, headers={"user-agent": "curl/8"})
    row = SessionToken.objects.get()
    assert answer.status == 201
    assert set(answer.data) == {"id", "token", "expires_at"}
    assert (answer.data["id"], parse_datetime(answer.data["expires_at"])) == (row.pk, row.expires_at)
    assert works(answer.data["token"])
    assert (row.user, row.ip, row.user_agent) == (alice, "10.0.0.7", "curl/8")


def test_a_name_may_be_typed_in_another_form_of_unicode(db_for_threads: None) -> None:
    User.objects.create_user("zoë", password="correct horse")
    assert Rest().post("token/", {"username": "zoe\u0308", "password": "correct horse"}).status == 200


@door
def test_whoever_may_not_gets_one_answer(alice: User, bob: User, charlie: User, path: str) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    charlie.set_unusable_password()
    charlie.save()
    tries = [
        WRONG,
        {"username": "nobody", "password": "correct horse"}, {"username": "bob", "password": "correct horse"},
        {"username": "charlie", "password": "correct horse"}, {"username": "ALICE", "password": "correct horse"},
        {"username": "alice", "password": "correct horse "}, {"username": " alice", "password": "correct horse"},
    ]  # fmt: skip
    answers = [Rest().post(path, data).everything for data in tries]
    assert len({repr(answer) for answer in answers}) == 1
    assert answers[0][0] == 401
    assert not SessionToken.objects.exists()
    assert not TokenFamily.objects.exists()


@door
def test_each_is_hashed_once(alice: User, bob: User, settings: Any, path: str) -> None:
    settings.PASSWORD_HASHERS = ["tests.sessions_app.hashing.CountingHasher"]
    for user in (alice, bob):
        user.set_password("correct horse")
        user.is_active = user is alice
        user.save()
    for data in (RIGHT, WRONG, {**RIGHT, "username": "bob"}, {**RIGHT, "username": "nobody"}):
        hashed.clear()
        Rest().post(path, data)
        assert len(hashed) == 1, data


@door
def test_guessing_is_limited_and_says_when_to_come_back(alice: User, path: str) -> None:
    at_home = Rest(ip="10.0.0.7")
    assert at_home.post("token/", RIGHT).status < 300
    statuses = [Rest(ip=f"203.0.113.{number}").post(path, WRONG).status for number in range(11)]
    assert statuses == [401] * 10 + [429]
    refused = Rest(ip="203.0.113.99").post(path, RIGHT)
    assert (refused.status, refused.problem["limit"], refused.problem["rate"]) == (429, "sign-in-account", "10/h")
    assert 3590 <= int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["ratelimit-policy"] == '"sign-in-account";q=10;w=3600'
    assert at_home.post(path, RIGHT).status < 300


@door
def test_a_credential_beside_the_password_does_not_matter(alice: User, bob: User, path: str) -> None:
    for secret in ("x", key_for(bob)):
        assert Rest(secret).post(path, RIGHT).status < 300
    assert {row.user for row in (*TokenFamily.objects.all(), *SessionToken.objects.all())} == {alice}


@door
def test_successes_and_failures_are_in_the_log(alice: User, caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.DEBUG)
    client = Rest(ip="10.0.0.7", headers={"x-request-id": "a value"})
    client.post(path, RIGHT)
    client.post(path, WRONG)
    made = "token family cgf_" if path == "token/" else "session token cgs_"
    assert f"User alice signed in from 10.0.0.7: {made}" in caplog.text
    assert (
        "Sign-in of user alice failed from 10.0.0.7"
        " (headers: accept, content-length, content-type, host, x-request-id)" in caplog.messages
    )
    assert "hunter2" not in caplog.text
    assert "correct horse" not in caplog.text


def test_a_service_account_cannot_sign_in(db_for_threads: None) -> None:
    User.objects.create_user("bot")
    for password in ("", "!", "None"):
        assert Rest().post("token/", {"username": "bot", "password": password}).status in (400, 401)


# --- The next pair ---


def test_a_refresh_token_gets_the_next_pair(alice: User) -> None:
    first = sign_in()
    answer = Rest().post("token/refresh/", {"refresh": first["refresh"]})
    assert answer.status == 200
    assert set(answer.data) == {"access", "refresh", "expires_in"}
    assert answer.data["refresh"] != first["refresh"]
    assert works(answer.data["access"])
    assert works(first["access"])  # until its ten minutes are over
    assert TokenFamily.objects.count() == 1


def test_a_used_one_ends_the_family(alice: User) -> None:
    first = sign_in()
    second = Rest().post("token/refresh/", {"refresh": first["refresh"]}).data
    reused = Rest().post("token/refresh/", {"refresh": first["refresh"]})
    unknown = Rest().post("token/refresh/", {"refresh": "x"})
    assert reused.status == 401
    assert reused.everything == unknown.everything
    assert Rest().post("token/refresh/", {"refresh": second["refresh"]}).everything == unknown.everything
    assert not works(second["access"])
    assert TokenFamily.objects.get().revoked_reason == USED_TWICE


def test_of_two_at_the_same_moment_one_wins_and_the_family_ends(alice: User) -> None:
    refresh = {"refresh": sign_in()["refresh"]}
    with ThreadPoolExecutor(2) as both:
        answers: list[Answer] = list(both.map(lambda _: Rest().post("token/refresh/", refresh), range(2)))
    assert sorted(answer.status for answer in answers) == [200, 401]
    assert TokenFamily.objects.get().revoked_at is not None


def over(alice: User) -> None:
    TokenFamily.objects.update(expires_at=timezone.now())


def revoked(alice: User) -> None:
    TokenFamily.objects.get().revoke("lost")


def deactivated(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)


def another_password(alice: User) -> None:
    alice.set_password("battery staple")
    alice.save()


@pytest.mark.parametrize("end", [over, revoked, deactivated, another_password])
def test_when_the_sign_in_is_over_there_is_no_next_pair(alice: User, end: Any) -> None:
    refresh = sign_in()["refresh"]
    end(alice)
    answer = Rest().post("token/refresh/", {"refresh": refresh})
    assert answer.everything == Rest().post("token/refresh/", {"refresh": "x"}).everything
    assert answer.status == 401


def test_what_is_no_refresh_token_is_refused_alike(alice: User) -> None:
    pair = sign_in()
    for secret in (pair["access"], key_for(alice), pair["refresh"][:-1], pair["refresh"].swapcase(), "é", " "):
        assert Rest().post("token/refresh/", {"refresh": secret}).status == 401
    assert Rest().post("token/refresh/", {"refresh": ""}).status == 400
    assert TokenFamily.objects.get().revoked_at is None


def test_guessing_refresh_tokens_is_limited_too(alice: User) -> None:
    statuses = [Rest().post("token/refresh/", {"refresh": "x"}).status for _ in range(61)]
    assert statuses == [401] * 60 + [429]


# --- Its end ---


def test_a_refresh_token_ends_its_sign_in(alice: User) -> None:
    pair, other = sign_in(), sign_in()
    assert (Rest().post("token/revoke/", {"refresh": pair["refresh"]}).status) == 200
    assert not works(pair["access"])
    assert Rest().post("token/refresh/", {"refresh": pair["refresh"]}).status == 401
    assert works(other["access"])


def test_of_what_is_unknown_or_over_nothing_is_said(alice: User) -> None:
    pair = sign_in()
    family = TokenFamily.objects.get()
    for secret in ("x", family.prefix, family.public_id, pair["access"], key_for(alice), "cgr_x"):
        answer = Rest().post("token/revoke/", {"refresh": secret})
        assert (answer.status, answer.body) == (200, b"")
    assert works(pair["access"])  # a prefix is no secret: it ends nothing
    for _ in range(2):
        assert Rest().post("token/revoke/", {"refresh": pair["refresh"]}).status == 200


def test_a_session_token_ends_when_it_is_left_idle(alice: User) -> None:
    token = Rest().post("session-tokens/", RIGHT).data["token"]
    SessionToken.objects.update(idle_expires_at=timezone.now() - timedelta(seconds=1))
    assert Rest(token).get("keys/").status == 401
