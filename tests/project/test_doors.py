"""Nobody gets through a door that is not his: every route, every visitor, every method, by tests/door_rules.py."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from project import asgi
from sessions_app.models import User
from tests.door_rules import RULES, VISITORS, rule_for
from tests.doors import NEVER_KEY, House, Visitors, house, is_about_something, routes

pytestmark = pytest.mark.pages

ALL = routes()
OTHERS = ("PUT", "PATCH", "DELETE")
NEW_EACH_TIME = re.compile(rb'\b[A-Za-z0-9]{64}\b|nonce="[\w-]+"')
PEOPLES_OWN = [route for route in ALL if route.startswith(("me/", "rooms/", "api/")) and is_about_something(route)]
PUBLIC = ("api/schema/", "api/docs/", "api/token/", "api/token/refresh/", "api/token/revoke/")
WITHOUT_COOKIE = [("POST", "api/session-tokens/")]
"""Who asks there says who he is in what he sends."""


@pytest.fixture(scope="module")
def home(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    logging.getLogger("django.request").setLevel(logging.ERROR)  # of thousands of refusals
    with django_db_blocker.unblock(), house() as furnished:
        yield furnished
    logging.getLogger("django.request").setLevel(logging.NOTSET)


def test_every_route_has_one_rule() -> None:
    assert {
        route: [rule.route for rule in RULES if rule.fits(route)] for route in ALL if fitting(route) != 1
    } == {}


def fitting(route: str) -> int:
    return sum(rule.fits(route) for rule in RULES)


def test_every_rule_has_a_route() -> None:
    assert [rule.route for rule in RULES if not any(rule.fits(route) for route in ALL)] == []


def test_what_is_outside_of_django_is_known_by_name() -> None:
    """Its own tests are those of the guard, of guests, and of sockets."""
    assert set(asgi.ROUTES) == {"/mcp", "/mcp/", "/mcp/guest", "/mcp/guest/"}
    assert {*asgi.SOCKETS, asgi.ROOMS} == {"/ws/mcp", "/ws/mcp/", "/ws/rooms/"}
    assert asgi.socket_route("/ws/elsewhere") is asgi.nowhere
    assert asgi.route("/api/keys/") is asgi.api
    assert asgi.route("/me/") is asgi.pages


@pytest.mark.parametrize("name", VISITORS)
def test_each_visitor_is_let_in_where_he_may_and_nowhere_else(home: House, name: str) -> None:
    wrong = {}
    for route in ALL:
        for method in ("GET", "POST", *(OTHERS if name in ("nobody", "alice", "operator") else ())):
            status = home.visitors.ask(name, method, route, home.rows).status_code
            expected = rule_for(route).answers(method)[name]
            if status != expected:
                wrong[method, route] = f"{status} instead of {expected}"
    assert wrong == {}


def test_who_was_deactivated_is_nobody_in_a_browser_of_before(home: House) -> None:
    for route in ALL:
        answer, nobody_s = (home.visitors.ask(name, "GET", route, home.rows) for name in ("gone", "nobody"))
        assert seen(answer) == seen(nobody_s), route


def test_who_is_led_away_is_led_to_a_door_and_who_is_refused_is_told_nothing(home: House) -> None:
    for route in ALL:
        answer = home.visitors.ask("nobody", "GET", route, home.rows)
        if answer.status_code == 302:
            door = "/admin/login/?next=" if route.startswith("admin/") else "/sign-in/?next="
            doors = ("/admin/",) if route == "admin/logout/" else (door,)
            assert answer["Location"].startswith(doors), route
        assert b"bob" not in answer.content, route


@pytest.mark.parametrize("name", ["alice", "operator"])
def test_another_s_is_answered_as_what_never_was(home: House, name: str) -> None:
    assert len(PEOPLES_OWN) >= 18
    for route in PEOPLES_OWN:
        for method in ("GET", "POST", *OTHERS):
            another_s = home.visitors.ask(name, method, route, home.rows)
            assert seen(another_s) == seen(home.visitors.ask(name, method, route)), (method, route)


def test_staff_without_permission_are_not_told_what_there_is(home: House) -> None:
    for route in ALL:
        if route.startswith("admin/") and is_about_something(route):
            for method in ("GET", "POST"):
                real, never = (home.visitors.ask("bare", method, route, rows) for rows in (home.rows, None))
                assert (real.status_code, real.content) == (never.status_code, never.content), (method, route)


def seen(answer: Any) -> Any:
    """All of an answer but what is made anew for each."""
    changing = ("Content-Security-Policy", "Expires")  # its nonce; the second
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    content = NEW_EACH_TIME.sub(b"", answer.content).replace(
        NEVER_KEY.encode(), b"bobs-theme"
    )  # as it was asked for
    return answer.status_code, headers, content


def test_what_another_site_sends_is_refused_wherever_a_cookie_lets_one_in(home: House) -> None:
    """It has the cookie, and no token."""
    forging = Visitors({"operator": Client(enforce_csrf_checks=True)})
    forging.clients["operator"].cookies = home.visitors.clients["operator"].cookies
    for route in ALL:
        for method in ("POST", *OTHERS):
            if (method, route) in WITHOUT_COOKIE or route in PUBLIC:
                continue
            assert forging.ask("operator", method, route, home.rows).status_code == 403, (method, route)


def test_who_cannot_sign_in_stays_outside(home: House) -> None:
    """As a service account, which has keys and no password."""
    service = User.objects.create_user("service")
    client = home.visitors.clients["nobody"]
    for path in ("/sign-in/", "/admin/login/"):
        for password in ("", "!", service.password):
            answer = client.post(path, {"username": "service", "password": password})
            assert answer.status_code in (200, 400)
            assert "sessionid" not in client.cookies
