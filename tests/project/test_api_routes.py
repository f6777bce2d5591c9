"""Every route below `/api/` has a policy, and whoever is not known gets nothing but what is for everybody."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import AllowAny
from rest_framework.settings import api_settings

from sessions_app.api.authentication import BrowserAuthentication, CredentialAuthentication
from sessions_app.api.throttle import ApiThrottle, LookThrottle
from sessions_app.api.view import ApiView
from sessions_app.models import User
from tests.conftest import key_for
from tests.rest import Rest

pytestmark = pytest.mark.alike

EVERYBODY = {
    ("POST", "token/"), ("POST", "token/refresh/"), ("POST", "token/revoke/"), ("POST", "session-tokens/"),
    ("GET", "schema/"), ("GET", "docs/"), ("HEAD", "schema/"), ("HEAD", "docs/"),
    ("OPTIONS", "token/"), ("OPTIONS", "token/refresh/"), ("OPTIONS", "token/revoke/"), ("OPTIONS", "schema/"),
    ("OPTIONS", "docs/"),
}  # fmt: skip
"""What is not asked who calls: signing in, and what the API is."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EXAMPLES = {"<int:id>": "7", "<anything:key>": "theme", "<room:id>": "design", "<anything:username>": "bob"}


def routes(patterns: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern) and path.startswith("api/"):
            yield path.removeprefix("api/"), pattern.callback


ROUTES = dict(routes(get_resolver().url_patterns))


def example(path: str) -> str:
    for part, value in EXAMPLES.items():
        path = path.replace(part, value)
    assert "<" not in path
    return path


def test_there_are_as_many_routes_as_there_should_be() -> None:
    assert len(ROUTES) == 28
    assert {"keys/", "keys/<int:id>/", "usage/", "token/refresh/", "preferences/<anything:key>/", ""} <= set(
        ROUTES
    )


@pytest.mark.parametrize("path", list(ROUTES))
def test_each_is_a_view_of_ours_with_a_policy(path: str) -> None:
    view: Any = ROUTES[path].view_class() if hasattr(ROUTES[path], "view_class") else ROUTES[path].cls()
    assert isinstance(view, ApiView)
    assert list(view.throttle_classes) == [LookThrottle if path == "usage/" else ApiThrottle]
    is_public = AllowAny in view.permission_classes
    kinds = [] if is_public else [CredentialAuthentication, BrowserAuthentication]
    assert list(view.authentication_classes) == kinds
    assert view.permission_classes
    assert is_public == any(path == public for _, public in EVERYBODY - {("POST", "session-tokens/")})


def test_what_another_app_forgets_to_say_is_strict_too() -> None:
    defaults: Any = api_settings
    assert [kind.__name__ for kind in defaults.DEFAULT_PERMISSION_CLASSES] == ["IsAuthenticated"]
    assert [CredentialAuthentication, BrowserAuthentication] == defaults.DEFAULT_AUTHENTICATION_CLASSES
    assert [ApiThrottle] == defaults.DEFAULT_THROTTLE_CLASSES


@pytest.mark.parametrize("path", list(ROUTES))
def test_nobody_gets_nothing(db_for_threads: None, path: str) -> None:
    for method in METHODS:
        answer = Rest().ask(method, example(path))
        if (method, path) in EVERYBODY:
            assert answer.status in (200, 204, 400), method  # 400: without a name and a password
        elif any(path == public for public_method, public in EVERYBODY if public_method == "OPTIONS"):
            assert answer.problem["status"] == 405, method
        else:
            assert answer.problem["status"] == 401, method


@pytest.mark.parametrize("path", list(ROUTES))
def test_a_body_of_nonsense_is_never_a_crash(alice: User, path: str) -> None:
    client = Rest(key_for(alice))
    nonsense: list[Any] = [None, [], {}, {"a": 1}, b"{", {"name": {}, "value": [], "refresh": 1, "username": None}]
    for method in METHODS:
        for data in nonsense:
            assert client.ask(method, example(path), data).status < 500


# --- The description ---


def test_the_schema_is_valid_and_nothing_is_guessed() -> None:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert "openapi: 3.0.3" in out.getvalue()


def test_it_describes_every_route_and_method(db_for_threads: None) -> None:
    schema = Rest().get("schema/").data
    hidden = {"schema/", "docs/", ""}
    described = {
        (path.removeprefix("/api/"), method.upper()) for path, item in schema["paths"].items() for method in item
    }
    served = set()
    for path, callback in ROUTES.items():
        if path not in hidden:
            plain = re.sub(r"<\w+:(\w+)>", r"{\1}", path)
            served |= {(plain, method) for method in METHODS[:-1] if hasattr(callback.cls, method.lower())}
    assert described == {(path, method) for path, method in served if method != "HEAD"}


def test_it_is_the_same_for_everybody_and_in_two_forms(alice: User) -> None:
    plain = Rest().get("schema/")
    assert plain.data["info"]["title"] == "Concierge"
    assert Rest(key_for(alice)).get("schema/").body == plain.body
    yaml = Rest().get("schema/", headers={"accept": "application/vnd.oai.openapi"})
    assert yaml.body.startswith(b"openapi: 3.0.3")


def test_each_operation_says_what_it_does_and_how_it_may_fail(db_for_threads: None) -> None:
    schema = Rest().get("schema/").data
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"]
    bodies = [schema for name, schema in schema["components"]["schemas"].items() if name.endswith("Request")]
    assert len(bodies) == 9
    assert all(body["additionalProperties"] is False for body in bodies)
