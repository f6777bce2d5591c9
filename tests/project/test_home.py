"""The first page: what this server is, and how to get in; nothing that strangers need not know."""

import pytest
from django.conf import settings
from django.test import Client

from sessions_app.connect import PLACEHOLDER, instructions
from sessions_app.models import User
from tests.control_room import ControlRoom, Page, make_superuser

pytestmark = pytest.mark.alike
ORIGIN = settings.CONFIG.origin


def test_a_stranger_is_told_how_to_get_in() -> None:
    html = ControlRoom().read("/")
    assert f">{ORIGIN}/mcp</code>" in html
    assert f">{ORIGIN}/mcp/guest</code>" in html
    assert 'href="/sign-in/?next=/me/"' in html
    assert "Whoever runs this server makes one for you." in html
    assert instructions("claude-code", ORIGIN, PLACEHOLDER).replace('"', "&quot;") in html
    assert 'href="/admin/"' not in html


def test_where_there_are_no_guests_nobody_is_sent_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings.CONFIG, "guests", False)
    assert "/mcp/guest" not in ControlRoom().read("/")


def test_a_stranger_is_told_of_no_version_and_no_user(alice: User) -> None:
    html = ControlRoom().read("/")
    assert settings.VERSION not in html
    assert "Django" not in html
    assert "alice" not in html


def test_who_is_signed_in_is_led_on(alice: User) -> None:
    html = ControlRoom(alice).read("/")
    assert 'href="/me/"' in html
    assert 'href="/rooms/"' in html
    assert 'href="/admin/"' not in html
    assert 'href="/sign-in/' not in html
    assert 'href="/admin/"' in ControlRoom(make_superuser()).read("/")


def test_it_is_kept_nowhere_and_runs_nothing_of_its_own() -> None:
    answer = Client().get("/")
    assert "no-store" in answer["Cache-Control"]
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert Page(answer.text).inline == []


def test_it_is_looked_at_and_nothing_else() -> None:
    assert Client().post("/").status_code == 405
