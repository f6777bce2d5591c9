"""What the server says of itself, and what every page tells the browser."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils.csp import build_policy
from pytest_django import Settings

from project.control_room.site import RELAXED_CSP
from project.logs import WithoutOutages
from tests.control_room import ControlRoom, make_superuser
from tests.services import redis_url

READY = {"status": "ready", "database": "ok", "migrations": "ok"}
PAGES = ("/", "/livez", "/readyz", "/admin/login/", "/admin/", "/nowhere", "/admin/nowhere/", "/mcp/")


@pytest.fixture
def client(db_for_threads: None) -> Client:
    return Client()


@contextmanager
def broken_database() -> Iterator[None]:
    def refuse(*args: Any) -> None:
        raise OperationalError("connection to postgres://operator:hunter2@db failed")

    with connection.execute_wrapper(refuse):
        yield


@contextmanager
def missing_migration() -> Iterator[None]:
    recorder = MigrationRecorder(connection)
    [newest] = MigrationLoader(connection).graph.leaf_nodes("sessions_app")
    recorder.record_unapplied(*newest)
    try:
        yield
    finally:
        recorder.record_applied(*newest)


def use_redis(settings: Settings, url: str) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"redis_url": url})
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": url,
            "KEY_PREFIX": "concierge-tests",
            "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.25, "SOCKET_TIMEOUT": 0.25},
        }
    }


def test_it_is_alive_whatever_else_is_not(client: Client) -> None:
    with broken_database():
        answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_it_is_ready_when_the_database_and_its_migrations_are(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, READY)


def test_it_is_not_ready_while_a_migration_is_missing(client: Client) -> None:
    with missing_migration():
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "database": "ok", "migrations": "failed"}
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_without_its_database(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with broken_database():
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "database": "failed", "migrations": "failed"}
    assert "Not ready: database" in caplog.text
    assert client.get("/readyz").status_code == 200


def test_it_is_not_ready_once_it_was_told_to_stop_and_asks_nobody(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("project.health.draining.is_set", lambda: True)
    with broken_database():
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "draining": True})
    assert client.get("/livez").status_code == 200


@pytest.mark.redis
def test_it_is_ready_when_redis_is(client: Client, settings: Settings) -> None:
    use_redis(settings, str(redis_url()))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {**READY, "redis": "ok"})
    cache.delete("concierge-readyz")


@pytest.mark.parametrize("is_listening", [False, True], ids=["nobody listens", "nobody answers"])
def test_it_is_ready_without_redis_and_says_so(client: Client, settings: Settings, is_listening: bool) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if is_listening:
            silent.listen()
        use_redis(settings, f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {**READY, "status": "degraded", "redis": "failed"})


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_asked_for_and_nothing_else(client: Client, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = client.generic(method, path)
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")


def test_the_admin_has_a_door_of_its_own(client: Client) -> None:
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin").status_code in (301, 302)


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/livez/", "/readyz/x", "/mcp/", "/static/nowhere.css", "/static/../project/settings.py",
     "/static/%2e%2e/manage.py", "/.env", "/%00", "/<script>"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert "%3Cscript" not in answer.text


def test_every_page_carries_the_security_headers(client: Client) -> None:
    for path in PAGES:
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= {
            *policy
        }
        if path.startswith("/admin/"):
            assert headers["Content-Security-Policy"] == build_policy(RELAXED_CSP)
        else:
            assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "Access-Control-Allow-Origin" not in headers, path


def test_what_is_private_or_changes_is_not_stored(client: Client) -> None:
    for path in ("/livez", "/readyz", "/admin/login/", "/admin/"):
        assert "no-store" in client.get(path)["Cache-Control"], path
    room = ControlRoom(make_superuser())
    for path in ("/admin/", "/admin/sessions_app/user/", "/admin/sessions_app/apikey/add/"):
        assert "no-store" in room.get(path)["Cache-Control"], path


def test_static_files_are_what_they_say(client: Client) -> None:
    answer = client.get("/static/sessions_app/admin.css")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/css")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert b"".join(answer).startswith(b"/*")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8000", "", "a b", "[::1",
     "127.0.0.1:x", "localhost@evil.example"],
)  # fmt: skip
def test_another_host_is_refused_on_every_page(client: Client, host: str) -> None:
    for path in PAGES:
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 400, path
        assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]:8000", "127.0.0.1:9"])
def test_this_machines_names_are_its_own(client: Client, host: str) -> None:
    assert client.get("/livez", headers={"host": host}).status_code == 200


def test_a_forwarded_host_counts_for_nothing(client: Client) -> None:
    answer = client.get("/admin/", headers={"host": "localhost", "x-forwarded-host": "evil.example"})
    assert answer["Location"] == "/admin/login/?next=/admin/"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client: Client, alice: Any) -> None:
    alice.is_staff = True
    alice.save()
    signed_in = client.post("/admin/login/?next=/admin/", {"username": "alice", "password": "correct horse"})
    assert signed_in["Location"] == "/admin/"
    session = client.cookies["sessionid"]
    assert (session["httponly"], session["samesite"]) == (True, "Lax")
    assert client.cookies["csrftoken"]["samesite"] == "Lax"


def test_signing_in_leads_nowhere_else(client: Client, alice: Any) -> None:
    alice.is_staff = True
    alice.save()
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        answer = client.post("/admin/login/", {"username": "alice", "password": "correct horse", "next": target})
        assert answer["Location"] == "/me/", target


def test_a_session_id_from_before_signing_in_is_not_kept(client: Client, alice: Any) -> None:
    alice.is_staff = True
    alice.save()
    client.cookies["sessionid"] = "chosen-by-somebody-else"
    client.post("/admin/login/", {"username": "alice", "password": "correct horse"})
    assert client.cookies["sessionid"].value != "chosen-by-somebody-else"


def test_a_crash_says_nothing_about_itself(client: Client) -> None:
    room = ControlRoom(make_superuser(), raise_request_exception=False)
    with broken_database():
        answer = room.get("/admin/")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert answer["X-Content-Type-Options"] == "nosniff"


@contextmanager
def database_away() -> Iterator[None]:
    def refuse(*args: Any) -> None:
        raise OperationalError("away") from psycopg.OperationalError("connection to hunter2@db failed")

    with connection.execute_wrapper(refuse):
        yield


def test_a_page_without_its_database_says_when_to_come_again(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    room = ControlRoom(make_superuser(), raise_request_exception=False)
    with database_away():
        answer = room.get("/admin/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer.text == "The database is not available."
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_log_has_one_line_of_an_outage_and_a_traceback_of_anything_else() -> None:
    keeps = WithoutOutages().filter
    away, crash = OperationalError("away"), OperationalError("ours")
    away.__cause__ = psycopg.OperationalError()
    assert not keeps(record_of(away))
    assert keeps(record_of(crash))


def record_of(error: Exception) -> logging.LogRecord:
    return logging.LogRecord("django.request", logging.ERROR, "", 0, "Failed", (), (type(error), error, None))
