"""An operator in a real browser: a key from making it to revoking it, with nothing for the console to say."""

import time
from collections.abc import Iterator
from typing import Any, Literal

import httpx2
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from sessions_app.models import Preference, User
from tests.control_room import make_superuser
from tests.services import browser_path
from tests.tools_app.calls import make_call, make_calls
from tests.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.process]

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture
def browser(served: str, alice: User) -> Iterator[Browser]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
    make_superuser()
    Preference.objects.put(alice.pk, "nothing", None)
    make_calls(120)
    make_call(username="bob", name="order", outcome="error")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(browser: Browser, served: str, complaints: list[str]) -> Page:
    return open_tab(browser, complaints)


def open_tab(browser: Browser, complaints: list[str], **details: Any) -> Page:
    """An empty one. What its console, its scripts and its requests complain of is noted."""
    wide = {"viewport": {"width": 1440, "height": 900}}  # from there on the control room's side bar is open
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **{**wide, **details})
    page = context.new_page()
    page.set_default_timeout(5000)

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{page.url}: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    return page


def sign_in(page: Page, origin: str) -> None:
    page.goto(f"{origin}/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("correct horse")
    page.locator("#login-form [type=submit]").click()
    expect(page.get_by_role("heading", name="Control room")).to_be_visible()


def make_key(page: Page) -> str:
    page.get_by_role("link", name="API keys").first.click()
    page.goto(f"{page.url.partition('/admin/')[0]}/admin/sessions_app/apikey/add/")
    page.locator("#id_user").fill("alice")
    page.locator("#id_name").fill("laptop")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("It is shown this once.")).to_be_visible()
    return page.locator("#secret").inner_text()


def revoke_key(page: Page, origin: str) -> None:
    page.goto(f"{origin}/admin/sessions_app/apikey/")
    page.get_by_role("row", name="laptop").get_by_role("checkbox").check()
    page.get_by_label("Select action to run").select_option(label="Revoke the selected API keys")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("Revoked: 1.")).to_be_visible()


def status_of(origin: str, key: str) -> int:
    wire = Wire(key)
    message = wire.request("tools/list")
    headers = wire.headers(message) | {"host": origin.partition("//")[2]}
    return httpx2.post(f"{origin}/mcp", json=message, headers=headers).status_code


def test_a_key_is_made_copied_used_and_revoked(page: Page, served: str, complaints: list[str]) -> None:
    sign_in(page, served)

    secret = make_key(page)
    for button, source in (("Copy", "#secret"), ("Copy", "#claude-code")):
        page.locator(f"{source} + button", has_text=button).click()
        expect(page.locator(f"{source} + button")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == page.locator(source).inner_text()
    assert secret in page.locator("#claude-code").inner_text()
    assert status_of(served, secret) == 200

    page.reload()  # sends the form again
    expect(page.get_by_text("alice has a key of that name.")).to_be_visible()
    assert secret not in page.content()

    revoke_key(page, served)
    deadline = time.monotonic() + 5
    while (status := status_of(served, secret)) == 200 and time.monotonic() < deadline:
        pass
    assert status == 401
    assert complaints == []


def test_the_record_is_narrowed_and_exported(page: Page, served: str, complaints: list[str]) -> None:
    sign_in(page, served)
    page.goto(f"{served}/admin/tools_app/toolcall/")
    page.locator(".filter-open-button").click()
    page.get_by_label("User name:").fill("bob")
    page.get_by_label("From:", exact=True).fill("2026-01-01T00:00")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator(".filter-open-button").click()
    page.get_by_role("link", name="Any failure").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#by_user")).to_have_value("bob")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert '"order"' in lines[1]
    page.goto(f"{served}/admin/tools_app/toolcall/")
    expect(page.locator("#result_list tbody tr")).to_have_count(100)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(21)
    page.get_by_role("link", name="Newest").click()
    expect(page.get_by_role("link", name="Older")).to_be_visible()
    # For Chromium a download is a page that did not come.
    assert [complaint for complaint in complaints if "/export/" not in complaint] == []


def test_every_form_works_under_the_policy(page: Page, served: str, complaints: list[str]) -> None:
    sign_in(page, served)
    for model in ("apikey", "session", "user", "preference"):
        page.goto(f"{served}/admin/sessions_app/{model}/")
    page.get_by_role("link", name="nothing").click()
    page.locator("#id_value").fill('{"a": null}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.locator("td.field-shown_value")).to_have_text('{"a": null}')

    make_key(page)
    page.get_by_role("link", name="I have saved it").click()
    page.get_by_role("link", name="laptop").first.click()
    page.locator("#id_name").fill("desktop")
    page.locator("#id_name").press("Enter")  # saves, though the actions' buttons come first
    expect(page.get_by_role("link", name="desktop", exact=True)).to_be_visible()

    page.goto(f"{served}/admin/sessions_app/user/")
    page.get_by_role("link", name="alice", exact=True).click()
    page.locator("#id_groups_from").select_option(label="Administrators")
    page.locator("#id_groups_add").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("row", name="alice").locator("td.field-group_names")).to_have_text(
        "Administrators, Members"
    )
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_api_can_be_tried_out_in_its_colours(
    browser: Browser, served: str, complaints: list[str], scheme: Literal["light", "dark"]
) -> None:
    page = open_tab(browser, complaints, color_scheme=scheme)
    sign_in(page, served)
    page.goto(f"{served}/api/docs/")
    is_dark = page.evaluate("document.documentElement.classList.contains('dark-mode')")
    assert is_dark == (scheme == "dark")
    page.get_by_text("Set one of your preferences").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_placeholder("key").fill("theme")
    page.locator("textarea.body-param__text").fill('{"value": "dark"}')
    page.get_by_role("button", name="Execute").click()  # by the cookie, with the CSRF token
    answer = page.locator(".live-responses-table tbody .response-col_status").first
    expect(answer).to_have_text("200")
    assert complaints == []
