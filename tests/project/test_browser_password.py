"""A link to choose a password, followed in a real browser: its form is sent from an origin that is ours."""

import pytest
from playwright.sync_api import expect, sync_playwright

from sessions_app.models import User
from tests.project.test_browser import QUIET, open_tab
from tests.services import browser_path
from tests.sessions_app.test_password_link import reset

pytestmark = [pytest.mark.browser, pytest.mark.process]

NEW = "staple battery 9"


def test_a_password_is_chosen_and_opens_the_door(served: str, alice: User) -> None:
    path = reset(alice)
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        page = open_tab(browser, complaints)
        page.goto(f"{served}{path}")
        page.get_by_label("New password", exact=True).fill(NEW)
        page.get_by_label("New password confirmation").fill(NEW)
        page.get_by_role("button", name="Change my password").click()
        expect(page.get_by_text("Your password has been set.")).to_be_visible()
        page.get_by_role("link", name="sign in").click()
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill(NEW)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Connect a client")).to_be_visible()
        browser.close()
    assert complaints == []
