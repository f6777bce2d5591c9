"""One's own pages in a real browser: a client is connected as its user would do it, seen, and shut out again."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sessions_app.models import ApiKey, Preference, User
from tests.project.test_browser import QUIET, open_tab
from tests.services import browser_path
from tests.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.process]

Enter = Callable[..., Page]


@pytest.fixture
def browser(served: str, alice: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
    monkeypatch.setattr(settings.CONFIG, "port", urlsplit(served).port)  # so that what is copied leads here
    Preference.objects.put(alice.pk, "theme", "dark")
    ApiKey.mint(alice, "forgotten")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Of all consoles, scripts and requests: what the policy forbids is among them. There are none in the end."""
    complaints: list[str] = []
    yield complaints
    assert complaints == []


@pytest.fixture
def enter(browser: Browser, served: str, complaints: list[str]) -> Enter:
    """alice's page, whose sign-in is on the way to it."""

    def enter(path: str = "/me/", **details: Any) -> Page:
        page = open_tab(browser, complaints, **details)
        page.goto(f"{served}{path}")
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{served}{path}")
        return page

    return enter


def copied(page: Page, title: str) -> str:
    """What is in the clipboard after a press of the button."""
    summary = page.locator("summary", has_text=title).filter(has_not_text="WebSocket")
    if page.locator("details[open] > summary", has_text=title).count() == 0:
        summary.click()
    page.get_by_role("button", name=f"Copy for {title}", exact=True).click()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def run_python(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "connect.py"
    path.write_text(script)
    return subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60, cwd=folder)


def call_profile(served: str, key: str) -> int:
    wire = Wire(key)
    message = wire.request("tools/call", {"name": "get-user-profile", "arguments": {}})
    headers = wire.headers(message) | {"host": served.partition("//")[2]}
    return httpx2.post(f"{served}/mcp", json=message, headers=headers).status_code


def test_a_client_is_connected_seen_and_shut_out(enter: Enter, served: str, tmp_path: Path) -> None:
    page = enter()
    page.get_by_label("Python", exact=True).check()
    page.get_by_label("A name for its key").fill("laptop")
    page.get_by_label("Valid for").select_option(label="30 days")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("Waiting for the first connection…")).to_be_visible()
    key = page.locator("#secret").inner_text()
    assert copied(page, "Claude Code") == (
        f'claude mcp add --transport http concierge {served}/mcp --header "Authorization: Bearer {key}"'
    )

    script = copied(page, "Python")
    done = run_python(script, tmp_path)
    assert "get-user-profile" in done.stdout, done.stderr
    expect(page.locator("#connection")).to_contain_text("Connected: ")
    assert call_profile(served, key) == 200

    page.get_by_role("link", name="Sessions", exact=True).click()
    expect(page.get_by_text("with the key laptop").first).to_be_visible()
    page.get_by_role("link", name="Keys and tokens").click()
    page.get_by_role("link", name="Revoke laptop").click()
    dialog = page.get_by_role("dialog", name="Revoke the API key “laptop”?")
    expect(dialog).to_contain_text("open streams end at once")
    dialog.get_by_role("button", name="Revoke the API key").click()
    expect(page.get_by_text("Revoked: the API key “laptop”.")).to_be_visible()
    refused = run_python(script, tmp_path)
    assert refused.returncode != 0
    assert "get-user-profile" not in refused.stdout
    assert call_profile(served, key) == 401

    page.get_by_role("link", name="Usage").click()
    deadline = time.monotonic() + 5
    while page.locator("svg").count() == 0 and time.monotonic() < deadline:  # the record is written in batches
        page.reload()
    expect(page.get_by_role("img", name="Calls in each of the last 24 hours")).to_be_visible()
    expect(page.get_by_role("cell", name="get-user-profile")).to_be_visible()


def test_a_reload_of_the_secret_makes_no_second_key(enter: Enter, complaints: list[str]) -> None:
    page = enter()
    page.get_by_label("A name for its key").fill("laptop")
    page.get_by_role("button", name="Make a key").click()
    secret = page.locator("#secret").inner_text()
    page.reload()  # sends the form again
    expect(page.get_by_text("You have a key of that name.")).to_be_visible()
    assert secret not in page.content()
    complaints[:] = [complaint for complaint in complaints if "status of 400" not in complaint]


def test_revoking_takes_the_keyboard_alone(enter: Enter) -> None:
    page = enter("/me/keys/")
    revoke = page.get_by_role("link", name="Revoke forgotten")
    revoke.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(revoke).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Revoked: the API key “forgotten”.")).to_be_visible()


def test_all_works_without_scripts(enter: Enter) -> None:
    page = enter("/me/preferences/", java_script_enabled=False)
    page.get_by_role("link", name="Edit theme").click()
    page.get_by_label("Value, as JSON").fill('"light"')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved: theme.")).to_be_visible()
    page.get_by_role("link", name="Delete theme").click()
    page.get_by_role("button", name="Delete the preference").click()
    expect(page.get_by_text("You have none yet.")).to_be_visible()
    page.get_by_role("link", name="Connect", exact=True).click()
    page.get_by_label("A name for its key").fill("phone")
    page.get_by_role("button", name="Make a key").click()
    expect(page.locator("#secret")).to_contain_text("cgk_")
    expect(page.get_by_role("button", name="Copy the key")).to_be_hidden()


def test_times_are_as_the_browser_s_clock_has_them(enter: Enter) -> None:
    page = enter("/me/keys/", timezone_id="Asia/Tokyo")
    expect(page.get_by_text("Times are in the zone Asia/Tokyo.")).to_be_visible()
    made = page.locator("dt", has_text="Made").locator("+ dd time")
    at = made.get_attribute("datetime")
    there = page.evaluate(
        "at => new Intl.DateTimeFormat('sv', {dateStyle: 'short', timeStyle: 'short'}).format(new Date(at))", at
    )
    assert made.inner_text() == there
    assert at is not None
    assert there not in at.replace("T", " ")
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == "timezone")
    assert (cookie["value"], cookie["sameSite"]) == ("Asia/Tokyo", "Lax")


def test_who_is_signed_out_elsewhere_is_told(enter: Enter, served: str, complaints: list[str]) -> None:
    page = enter()
    page.get_by_label("A name for its key").fill("laptop")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("Waiting for the first connection…")).to_be_visible()
    elsewhere = page.context.new_page()
    elsewhere.goto(f"{served}/me/account/")
    elsewhere.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out")).to_be_visible()
    # For Playwright a redirect that a script does not follow has failed.
    complaints[:] = [complaint for complaint in complaints if "/sign-in/?next=/me/connection/" not in complaint]
