"""What each answer tells a browser: what may run, that nobody may frame it, and that it is kept nowhere."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.utils.csp import build_policy

from project.control_room.site import RELAXED_CSP
from sessions_app.limits import API, Bucket
from sessions_app.models import User
from sessions_app.state import state
from tests.doors import House, house, routes

pytestmark = pytest.mark.pages

ALL = routes()
STRICTLY: Any = settings.SECURE_CSP
STRICT, RELAXED = build_policy(STRICTLY), build_policy(RELAXED_CSP)
NONCE = re.compile(r"'nonce-[\w-]+' ?")


@pytest.fixture(scope="module")
def home(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    logging.getLogger("django.request").setLevel(logging.ERROR)
    with django_db_blocker.unblock(), house() as furnished:
        yield furnished
    logging.getLogger("django.request").setLevel(logging.NOTSET)


def answers(home: House) -> Iterator[tuple[str, Any]]:
    """To everybody who is answered in a way of his own."""
    asking = [("nobody", "GET", ALL), ("operator", "GET", ALL)]
    asking += [("alice", "GET", [route for route in ALL if not route.startswith("admin/")])]
    for name, method, asked in asking:
        for route in asked:
            yield f"{name}: {method} {route}", home.visitors.ask(name, method, route, home.rows)


@pytest.fixture(scope="module")
def answered(home: House) -> list[tuple[str, Any]]:
    return list(answers(home))


def route_of(asked: str) -> str:
    return asked.split(" ", 2)[2]


def test_what_may_run_is_said_with_everything_and_relaxed_on_pages_of_the_control_room_alone(
    answered: Any,
) -> None:
    wrong = {}
    for asked, answer in answered:
        policy = NONCE.sub("", answer["Content-Security-Policy"]).replace(" ;", ";")
        # What is refused there is a page of Django's, and none of Unfold's.
        may_be_relaxed = route_of(asked).startswith("admin/")
        must_be = may_be_relaxed and answer.status_code == 200
        if policy != (RELAXED if must_be or (may_be_relaxed and policy == RELAXED) else STRICT):
            wrong[asked] = policy
    assert wrong == {}
    assert "unsafe" not in STRICT


def test_nobody_may_frame_it_guess_at_it_or_hear_of_it(answered: Any) -> None:
    told = {
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    assert {
        (asked, name): answer.get(name)
        for asked, answer in answered
        for name, value in told.items()
        if answer.get(name) != value
    } == {}


def test_what_is_somebody_s_is_kept_nowhere(answered: Any) -> None:
    """Below `/api/` that is said by its edge: tests/sessions_app/test_api_strict.py."""
    kept = [
        asked
        for asked, answer in answered
        if "no-store" not in answer.get("Cache-Control", "") and not route_of(asked).startswith("api/")
    ]
    assert [asked for asked in kept if dict(answered)[asked].status_code not in (403, 404, 405)] == []
    assert [asked for asked in kept if re.search(rb"alice|operator|bob", dict(answered)[asked].content)] == []


def test_nor_is_it_kept_where_somebody_asks_too_often(home: House) -> None:
    often = [Bucket(API, f"user:{User.objects.get(username='alice').pk}")]
    for _ in range(API.most):
        state.take(often)
    refused = home.visitors.clients["alice"].post("/me/account/")
    assert refused.status_code == 429
    assert "alice" in refused.text
    assert "no-store" in refused["Cache-Control"]
