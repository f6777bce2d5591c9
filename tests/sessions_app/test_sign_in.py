"""Guessing passwords: limited before anything is hashed, alike for everybody, and the owner stays in."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from threading import BoundedSemaphore
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone

from sessions_app import backend
from sessions_app.exceptions import Crowded, RateLimited
from sessions_app.limits import SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, Bucket
from sessions_app.models import FamiliarNetwork, User
from sessions_app.state import state
from tests.conftest import make_user
from tests.control_room import ControlRoom, make_superuser
from tests.sessions_app.hashing import hashed

HOME, ELSEWHERE = "10.0.0.7", "198.51.100.7"
RIGHT, WRONG = "correct horse", "hunter2"


@pytest.fixture(autouse=True)
def counted(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.sessions_app.hashing.CountingHasher"]


def attempt(username: str, password: str = WRONG, ip: str = ELSEWHERE) -> Any:
    """Who signed in; None if nobody did; the limit's name if it was not tried."""
    request = RequestFactory().post("/", REMOTE_ADDR=ip)
    try:
        return authenticate(request, username=username, password=password)
    except RateLimited as refusal:
        return refusal.bucket.limit.name


def networks(number: int) -> list[str]:
    return [f"203.0.113.{last}" for last in range(number)]


@pytest.mark.parametrize("username", ["alice", "nobody"])
def test_ten_failures_an_hour_close_an_account_to_strangers(alice: User, username: str) -> None:
    """Whether it exists or not, from however many addresses."""
    outcomes = [attempt(username, ip=ip) for ip in networks(12)]
    assert outcomes == [None] * 10 + ["sign-in-account"] * 2
    assert attempt(username, RIGHT) == "sign-in-account"


def test_twenty_failures_a_minute_close_an_address(alice: User) -> None:
    outcomes = [attempt(f"user-{number}") for number in range(22)]
    assert outcomes == [None] * 20 + ["sign-in-address"] * 2
    assert attempt("alice", RIGHT) == "sign-in-address"
    assert attempt("alice", RIGHT, ip=HOME) == alice


def test_one_network_is_a_whole_64_of_ipv6(alice: User) -> None:
    outcomes = [attempt(f"user-{number}", ip=f"2001:db8::{number:x}") for number in range(21)]
    assert outcomes[-1] == "sign-in-address"
    assert attempt("alice", RIGHT, ip="2001:db8:0:1::1") == alice


def test_what_is_refused_is_not_hashed(alice: User) -> None:
    hashed.clear()
    for ip in networks(20):
        attempt("alice", ip=ip)
    assert len(hashed) == 10


def test_of_many_at_once_no_more_are_hashed_than_may_fail(alice: User) -> None:
    def try_it(ip: str) -> Any:
        try:
            return attempt("alice", ip=ip)
        finally:
            connections.close_all()

    hashed.clear()
    with ThreadPoolExecutor(16) as together:
        outcomes = list(together.map(try_it, networks(40)))
    assert sorted(map(str, outcomes)) == ["None"] * 10 + ["sign-in-account"] * 30
    assert len(hashed) == 10


def test_the_owner_is_not_locked_out_of_where_she_signed_in_from(alice: User) -> None:
    assert attempt("alice", RIGHT, ip=HOME) == alice
    for ip in networks(12):
        attempt("alice", ip=ip)
    assert attempt("alice", RIGHT) == "sign-in-account"
    assert attempt("alice", RIGHT, ip=HOME) == alice
    assert [attempt("alice", ip=HOME) for _ in range(21)] == [None] * 20 + ["sign-in-address"]


def test_a_network_is_strange_again_after_ninety_days(alice: User) -> None:
    assert attempt("alice", RIGHT, ip=HOME) == alice
    FamiliarNetwork.objects.update(seen_at=timezone.now() - timedelta(days=90))
    assert not FamiliarNetwork.objects.knows("alice", f"{HOME}/32")
    call_command("cleanup", stdout=StringIO())
    assert not FamiliarNetwork.objects.exists()


def test_where_somebody_signs_in_from_is_written_once_a_day(alice: User) -> None:
    for _ in range(3):
        attempt("alice", RIGHT, ip=HOME)
    (noted,) = alice.familiar_networks.all()
    assert noted.network == f"{HOME}/32"
    FamiliarNetwork.objects.update(seen_at=timezone.now() - timedelta(days=2))
    attempt("alice", RIGHT, ip=HOME)
    noted.refresh_from_db()
    assert timezone.now() - noted.seen_at < timedelta(minutes=1)


def test_another_s_familiar_network_is_not_mine(alice: User, bob: User) -> None:
    attempt("bob", RIGHT, ip=HOME)
    for ip in networks(10):
        attempt("alice", ip=ip)
    assert attempt("alice", RIGHT, ip=HOME) == "sign-in-account"


def test_who_signs_in_is_not_counted(alice: User) -> None:
    for _ in range(30):
        assert attempt("alice", RIGHT) == alice
    (address,) = state.usage_now([Bucket(SIGN_IN_ADDRESS, f"{ELSEWHERE}/32")])
    assert address.remaining == SIGN_IN_ADDRESS.most
    assert [attempt("alice", ip=ip) for ip in networks(10)] == [None] * 10
    assert SIGN_IN_ACCOUNT.most == 10


def test_nobody_is_told_apart_by_how_long_it_takes(alice: User, bob: User, charlie: User) -> None:
    """One hash each: of a wrong password, of nobody's, of an inactive user's and where there is no password."""
    User.objects.filter(pk=bob.pk).update(is_active=False)
    charlie.set_unusable_password()
    charlie.save()
    User.objects.filter(pk=alice.pk).update(password=make_user("model").password)
    for username, password in (
        ("alice", WRONG),
        ("nobody", WRONG),
        ("bob", RIGHT),
        ("bob", WRONG),
        ("charlie", WRONG),
    ):
        hashed.clear()
        assert attempt(username, password) is None
        assert len(hashed) == 1, username


def test_what_was_typed_is_not_in_the_shared_state(alice: User) -> None:
    attempt("my password, where the name belongs")
    assert "password" not in repr(state._windows)  # type: ignore[attr-defined]


def test_the_log_says_from_where_and_not_whose_account(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for ip in networks(11):
        attempt("alice", ip=ip)
    line = "A sign-in from 203.0.113.10/32 was refused unlooked at: too many failed (sign-in-account)"
    assert line in caplog.messages
    assert WRONG not in caplog.text


def test_only_a_few_are_hashed_at_once(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "PATIENCE", 0.01)
    monkeypatch.setattr(backend, "hashing", BoundedSemaphore(1))
    backend.hashing.acquire()
    hashed.clear()
    with pytest.raises(Crowded):
        attempt("alice", RIGHT)
    assert hashed == []
    backend.hashing.release()
    assert attempt("alice", RIGHT) == alice


# --- The admin ---


def sign_in(username: str, password: str, ip: str) -> Any:
    return ControlRoom(REMOTE_ADDR=ip).post("/admin/login/?next=/admin/", username=username, password=password)


def test_the_admin_s_form_is_behind_the_same_limits(db_for_threads: None) -> None:
    make_superuser()
    assert sign_in("operator", RIGHT, HOME).status_code == 302
    for ip in networks(12):
        page = sign_in("operator", WRONG, ip)
        assert page.status_code == 200
    assert "Too many sign-ins failed. Try again in 60 minutes." in page.text
    assert "Too many sign-ins failed." in sign_in("operator", RIGHT, ELSEWHERE).text
    assert sign_in("operator", RIGHT, HOME).status_code == 302


def test_the_admin_says_the_same_of_nobody(db_for_threads: None) -> None:
    for ip in networks(10):
        sign_in("nobody", WRONG, ip)
    assert "Try again in 60 minutes." in sign_in("nobody", WRONG, HOME).text
