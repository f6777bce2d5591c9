"""What is malformed, too large or of another kind is refused in one shape, and never a crash."""

import asyncio
import json
import logging
from typing import Any

import httpx2
import pytest
from django.db import OperationalError

from sessions_app.api import keys, paging
from sessions_app.models import ApiKey, Preference, SessionToken, User
from sessions_app.transport import guard
from tests.conftest import key_for
from tests.rest import Rest, browser
from tests.wire import Exchange, encoded

pytestmark = pytest.mark.alike

BODIES = [
    b"{", b"", b"null", b"7", b'"name"', b"[]", b'[{"name": "a"}]', b'{"name": "a"} x', b"\xff\xfe",
    b'{"name": "\xff"}',
    b'{"name": "a", "name": "b"}', b'{"name": "a\\u0000"}', b'{"name": "\\ud800"}', b'{"name": NaN}',
    b'{"name": "a", "scopes": Infinity}', b'{"name": 1e400}', b'{"name": 123456789012345678901234567890}',
    b"[" * 100_000, b'{"a":' * 5000, b'{"name": "a"' + b" " * 100 + b',}', '{"name": "a"}'.encode("utf-16"),
    b"\xef\xbb\xbf" + b'{"name": "a"}', b"name=a", b"<name>a</name>", b'{"name": "a", "title": "b"}', b"\x00",
]  # fmt: skip


@pytest.fixture
def client(alice: User) -> Rest:
    return Rest(key_for(alice))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:30]))
@pytest.mark.parametrize("endpoint", ["POST keys/", "POST token/", "POST token/refresh/", "PUT preferences/x/"])
def test_a_body_that_is_not_what_it_should_be(client: Rest, endpoint: str, body: bytes) -> None:
    method, path = endpoint.split()
    answer = client.ask(method, path, body)
    assert answer.status == 400
    assert answer.problem["detail"]
    assert ApiKey.objects.count() == 1
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "", "json",
     "application/xml", "application/problem+json", "*/*", "application/*"],
)  # fmt: skip
def test_another_content_type_is_refused(client: Rest, content_type: str) -> None:
    answer = client.post("keys/", {"name": "a"}, headers={"content-type": content_type})
    assert (answer.status, answer.problem["title"]) == (415, "Unsupported Media Type")
    assert client.post("keys/", {"name": "a"}, headers={"content-type": None}).status == 415
    charset = {"content-type": "application/json; charset=utf-8"}
    assert client.post("keys/", {"name": "a"}, headers=charset).status == 201


def test_a_body_has_a_mebibyte_at_most(client: Rest) -> None:
    full = json.dumps({"value": "x"}).encode().ljust(guard.LARGEST_BODY)
    assert client.put("preferences/x/", full).status == 200
    for headers in ({}, {"content-length": None}, {"content-length": str(10**9)}, {"content-length": "9" * 30}):
        answer = client.put("preferences/x/", full + b" ", headers=headers)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert answer.problem["detail"] == "The body is larger than 1048576 bytes."
    assert client.put("preferences/x/", full, headers={"content-length": "x"}).status == 400


def test_a_body_that_comes_in_chunks_is_a_body(client: Rest) -> None:
    """Without a declared length."""
    chunked = {"content-length": None, "transfer-encoding": "chunked"}
    assert client.put("preferences/x/", {"value": 7}, headers=chunked).data["value"] == 7


def test_a_body_that_does_not_arrive_is_not_waited_for(client: Rest, settings: Any) -> None:
    settings.SLOWEST_REQUEST = 0.1

    async def stall() -> int:
        headers = encoded({"host": "127.0.0.1:8000", "content-type": "application/json", "content-length": "9"})
        exchange = Exchange(b"", headers, method="POST", path="/api/token/", http_version="1.1")
        exchange._parts[0]["more_body"] = True
        return (await exchange.wait()).status

    assert asyncio.run(stall()) == 408


def test_a_compressed_body_is_refused(client: Rest) -> None:
    answer = client.post("keys/", {"name": "a"}, headers={"content-encoding": "gzip"})
    assert (answer.status, answer.problem["detail"]) == (415, "Content-Encoding is not accepted.")


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "HEAD"])
def test_where_no_body_belongs_none_is_taken(client: Rest, alice: User, method: str) -> None:
    key, _ = ApiKey.mint(alice, "x")
    path = f"keys/{key.pk}/" if method == "DELETE" else "keys/"
    assert client.ask(method, path, {"revoke": True}).status == 400
    assert ApiKey.objects.valid().filter(pk=key.pk).exists()


@pytest.mark.parametrize(
    "query", ["x=1", "limit=1&x=1", "format=json", "page=2", "LIMIT=1", "limit=1&limit=2", "=1", "&&x"]
)
def test_what_a_query_string_should_not_hold(client: Rest, query: str) -> None:
    answer = client.get(f"keys/?{query}")
    assert answer.status == 400
    assert "query parameter" in answer.problem["detail"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1:8000, evil.example", "[::1"]
)
def test_a_host_of_another_name_is_not_answered_for(client: Rest, host: str) -> None:
    answer = client.get("keys/", headers={"host": host})
    assert (answer.status, answer.problem["detail"]) == (421, "This server does not answer for that Host.")


def test_headers_have_bounds(client: Rest) -> None:
    assert client.get("keys/", headers={"x-large": "x" * 9000}).problem["status"] == 431
    assert client.get("keys/", headers={f"x-{n}": "1" for n in range(101)}).problem["status"] == 431


@pytest.mark.parametrize(
    "path", ["", "nothing/", "keys", "keys//", "/keys/", "token", "KEYS/", "keys/1/x/", "..", "a%0Ab", "%00"]
)
def test_any_other_path_is_nothing(client: Rest, path: str) -> None:
    """Nor is it a page of Django's, or a redirect to one with a slash."""
    for method in ("GET", "POST", "DELETE", "PATCH"):
        assert client.ask(method, path).problem["status"] == 404
    assert Rest().get(path).problem["status"] == 401


@pytest.mark.parametrize("method", ["PATCH", "PUT", "TRACE", "CONNECT", "PROPFIND"])
def test_another_method_is_refused(client: Rest, method: str) -> None:
    answer = client.ask(method, "keys/")
    assert answer.problem["status"] == 405
    assert answer.headers["allow"] == "GET, POST, HEAD, OPTIONS"


def test_options_says_which_methods_there_are_and_no_more(client: Rest) -> None:
    answer = client.ask("OPTIONS", "keys/")
    assert (answer.status, answer.body, answer.headers["allow"]) == (204, b"", "GET, POST, HEAD, OPTIONS")
    assert Rest().ask("OPTIONS", "keys/").status == 401


def test_what_cannot_be_had_in_another_form_is_refused(client: Rest) -> None:
    for accept in ("text/html", "application/xml"):
        assert client.get("keys/", headers={"accept": accept}).problem["status"] == 406
    for accept in ("application/json", "text/html, */*;q=0.1", "application/*"):
        assert client.get("keys/", headers={"accept": accept}).status == 200


def test_no_cache_keeps_anything(client: Rest) -> None:
    """Whoever answers: the edge, Django REST framework, or Django."""
    for path in ("keys/", "usage/", "nothing/", "docs/", "schema/", "keys/?x=1", "keys/?token=x"):
        for caller in (client, Rest(), browser(User.objects.get(username="alice"))):
            headers = caller.get(path).headers
            assert headers["cache-control"] == "no-store", path
            assert headers["x-content-type-options"] == "nosniff"
            named = {name.strip().lower() for name in headers["vary"].split(",")}
            assert named >= {"authorization", "x-api-key", "x-session-token", "cookie", "origin"}


# --- What nobody foresaw ---


def test_a_crash_says_an_id_and_no_more(
    client: Rest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(self: Any) -> None:
        raise RuntimeError("a secret inside")

    monkeypatch.setattr(keys.ApiKeysView, "get_queryset", crash)
    caplog.set_level(logging.ERROR)
    answer = client.get("keys/")
    assert answer.status == 500
    error_id = answer.problem["detail"].removeprefix("Something failed unexpectedly. Error id: ")
    assert len(error_id) == 16
    assert f"ApiKeysView crashed: {error_id}" in caplog.messages
    assert "secret" not in answer.body.decode()


def test_a_database_that_is_away_is_said_to_be(client: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **details: Any) -> None:
        raise OperationalError("at db.internal as root")

    monkeypatch.setattr(paging, "limit_of", fail)
    answer = client.get("keys/")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.problem["detail"] == "The database is not available."
    monkeypatch.setattr(SessionToken, "mint", fail)
    sign_in = Rest().post("session-tokens/", {"username": "alice", "password": "correct horse"})
    assert sign_in.status == 503


def test_refusals_are_not_logged_with_their_paths(client: Rest, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.get("nothing/my-secret-path/")
    client.get("preferences/my-secret-key/")
    assert "secret" not in caplog.text


# --- Over a real socket ---


def test_head_is_get_without_a_body(served: str, alice: User) -> None:
    headers = {"authorization": f"Bearer {key_for(alice)}"}
    for path in ("schema/", "preferences/", "nothing/"):
        whole = httpx2.get(f"{served}/api/{path}", headers=headers)
        head = httpx2.head(f"{served}/api/{path}", headers=headers)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))


def test_a_stream_of_a_body_is_read_to_its_end_and_no_further(served: str, alice: User) -> None:
    headers = {"authorization": f"Bearer {key_for(alice)}", "content-type": "application/json"}
    url = f"{served}/api/preferences/x/"
    assert httpx2.put(url, content=iter([b'{"value"', b": 7}"]), headers=headers).json()["value"] == 7
    endless = (b" " * 65536 for _ in range(64))
    assert httpx2.put(url, content=endless, headers=headers).status_code == 413
