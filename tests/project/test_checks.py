"""What is refused at start, and what is not."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connections
from pydantic import SecretStr
from pytest_django import Settings

from project.checks import OURS
from project.config import BASE_DIR

GOOD = "correct-horse-battery-staple-0123456789"


@pytest.fixture
def production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Four workers with all that they need."""
    configure(settings, workers=4, redis_url="redis://127.0.0.1/1")
    monkeypatch.setattr(connections["default"], "vendor", "postgresql")
    return settings


def configure(settings: Settings, **values: object) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update=values)


def refused() -> dict[str, str]:
    """Message and hint, by id."""
    ours = run_checks(tags=[OURS])
    assert all(found.is_serious() and found.hint for found in ours)
    return {str(found.id): f"{found.msg} {found.hint}" for found in ours}


def test_one_worker_needs_no_services(settings: Settings) -> None:
    configure(settings, workers=1, redis_url=None)
    assert refused() == {}


def test_workers_with_all_that_they_share_are_accepted(production: Settings) -> None:
    assert refused() == {}


def test_workers_without_redis_are_refused(production: Settings) -> None:
    configure(production, redis_url=None)
    assert refused().keys() == {"concierge.E001"}
    assert "WORKERS=4" in refused()["concierge.E001"]
    assert "REDIS_URL" in refused()["concierge.E001"]
    assert "--workers" in refused()["concierge.E001"]


def test_workers_on_sqlite_are_refused(production: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "sqlite")
    assert refused().keys() == {"concierge.E002"}
    assert "DATABASE_URL" in refused()["concierge.E002"]
    assert "--workers" in refused()["concierge.E002"]


GUESSABLE = [
    "django-insecure-" + secrets.token_urlsafe(40), "changeme-" + secrets.token_urlsafe(40),
    "Change-This-" + secrets.token_urlsafe(40), "your_own-" + secrets.token_urlsafe(40),
    "dev-secret-key-do-not-use-in-production", "concierge-changeme-please-changeme-now",
    "secret-django-insecure-" + secrets.token_urlsafe(40), "PLACEHOLDER_" + secrets.token_hex(32),
    "0123456789abcdefghijklmnopqrstuvwxyz", "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210",
    "1234567890" * 3 + "ab", secrets.token_urlsafe(23),
    "x" * 50, "123456789" * 5, "correct horse battery" * 2,
]  # fmt: skip


@pytest.mark.parametrize("key", GUESSABLE, ids=range(len(GUESSABLE)))
def test_a_key_that_can_be_guessed_is_refused_and_not_repeated(settings: Settings, key: str) -> None:
    for name, value, earlier in (("SECRET_KEY", key, []), ("SECRET_KEY_FALLBACKS", GOOD, [GOOD + "-1", key])):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = value, earlier
        said = refused()["concierge.E003"]
        assert said.startswith(f"{name} can be guessed")
        assert key not in said


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex, lambda size: GOOD])
def test_a_key_made_by_chance_is_accepted(settings: Settings, make: object) -> None:
    assert callable(make)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = make(48), [make(32)]
    assert refused() == {}


@pytest.mark.process
def test_django_finds_nothing_to_say_about_production(tmp_path: Path) -> None:
    """Settings are read, and no service is asked."""
    production = {
        "CONCIERGE_DATA_DIR": str(tmp_path),
        "CONCIERGE_PUBLIC_URL": "https://mcp.example.org",
        "DATABASE_URL": "postgres://concierge@127.0.0.1:1/concierge",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "EMAIL_URL": "smtp+tls://user:password@mail.example.org",
        "PATH": os.environ["PATH"],
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "WORKERS": "2",
    }
    check = [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "DEBUG"]
    done = subprocess.run(check, cwd=BASE_DIR, env=production, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("System check identified no issues")


def test_a_metrics_token_that_can_be_guessed_is_refused(settings: Settings) -> None:
    configure(settings, metrics_token=SecretStr(GOOD))
    assert refused() == {}
    configure(settings, metrics_token=SecretStr("change-me-change-me-change-me-change-me"))
    assert "CONCIERGE_METRICS_TOKEN" in refused()["concierge.E003"]


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Are to go to a collector."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    return monkeypatch


def test_traces_that_can_be_exported_are_accepted(traces: pytest.MonkeyPatch) -> None:
    traces.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc, x-a=b")
    assert refused() == {}


def test_traces_without_the_packages_for_it_are_refused(traces: pytest.MonkeyPatch) -> None:
    traces.setattr("project.tracing.PACKAGES", ("opentelemetry.nothing_of_that_name",))
    assert refused().keys() == {"concierge.E004"}
    assert "requirements/otel.txt" in refused()["concierge.E004"]


def test_no_traces_need_no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.tracing.PACKAGES", ("opentelemetry.nothing_of_that_name",))
    assert refused() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc,canary-of-a-key")],
)
def test_what_would_not_be_done_as_it_is_said_is_refused(
    traces: pytest.MonkeyPatch, name: str, value: str
) -> None:
    traces.setenv(name, value)
    assert refused().keys() == {"concierge.E005"}
    assert name in refused()["concierge.E005"]
    assert "canary" not in refused()["concierge.E005"]
