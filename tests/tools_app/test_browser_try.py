"""Trying a tool in a real browser, on a real server: it says that it runs, and works without its script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sessions_app.permissions import MEMBERS
from tests.control_room import make_staff
from tests.project.test_browser import QUIET, open_tab
from tests.services import browser_path
from tools_app.apps import make_policies

pytestmark = [pytest.mark.browser, pytest.mark.process]
WAIT = "/admin/tools_app/toolpolicy/wait/change/"


@pytest.fixture
def browser(served: str) -> Iterator[Browser]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
    make_policies()
    make_staff("viewer", MEMBERS, may="^view_toolpolicy$")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield browser
        browser.close()


def fill_in(page: Page, served: str) -> None:
    page.goto(f"{served}/admin/login/?next={WAIT}")
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password").fill("correct horse")
    page.locator("#login-form [type=submit]").click()
    page.get_by_label("Arguments, as JSON").fill('{"seconds": 1}')


STAY = "document.querySelector('form[data-running]').addEventListener('submit', (event) => event.preventDefault())"


def test_it_says_that_it_runs_and_is_not_sent_twice(browser: Browser, served: str) -> None:
    """Playwright looks at no page that is being left, so this one is kept."""
    problems: list[str] = []
    page = open_tab(browser, problems)
    fill_in(page, served)
    page.evaluate(STAY)
    page.get_by_role("button", name="Call it").click()
    expect(page.get_by_role("button", name="Running…")).to_be_disabled()
    page.evaluate("dispatchEvent(new Event('pageshow'))")  # as when one comes back
    expect(page.get_by_role("button", name="Call it")).to_be_enabled()
    assert problems == []


def test_its_answer_is_shown_with_what_was_sent(browser: Browser, served: str) -> None:
    problems: list[str] = []
    page = open_tab(browser, problems)
    fill_in(page, served)
    page.get_by_role("button", name="Call it").click()
    expect(page.get_by_text("It returned")).to_be_visible()
    expect(page.get_by_label("Arguments, as JSON")).to_have_value('{"seconds": 1}')
    assert problems == []


def test_it_works_without_its_script(browser: Browser, served: str) -> None:
    page = open_tab(browser, [])
    page.route("**/running*.js", lambda route: route.abort())
    fill_in(page, served)
    page.get_by_role("button", name="Call it").click()
    expect(page.get_by_text("It returned")).to_be_visible()
