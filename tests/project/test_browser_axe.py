"""Every page of people's, looked through by axe: for who sees little, uses no mouse, or has it read aloud."""

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from collab_app.models import Room
from sessions_app.models import ApiKey, Preference, SessionToken, TokenFamily, User
from sessions_app.password_link import link_for
from tests.conftest import make_user
from tests.project.test_browser import QUIET, open_tab
from tests.project.test_my_sessions import session_of
from tests.services import browser_path
from tests.tools_app.calls import make_call

pytestmark = [pytest.mark.browser, pytest.mark.process]

Scheme = Literal["light", "dark"]
GRAVE = ("serious", "critical")
SIGNED_IN = (
    "/", "/me/", "/me/keys/", "/me/sessions/", "/me/rooms/", "/me/usage/", "/me/preferences/", "/me/account/",
    "/me/preferences/edit/?key=theme", "/me/preferences/delete/?key=theme", "/rooms/", "/rooms/nowhere/",
)  # fmt: skip


@pytest.fixture
def link(served: str, alice: User) -> str:
    """Where bob chooses a password. alice has some of everything, so that there is something to see."""
    bob = make_user("bob")
    key = ApiKey.mint(alice, "laptop", scopes=["tools_app.call_get-user-profile"])[0]
    key.note_use()
    ApiKey.mint(alice, "gone")[0].revoke("by alice")
    SessionToken.mint(alice, "phone", ip="203.0.113.9")
    TokenFamily.open(alice)
    session_of(alice, ip="203.0.113.9")
    for outcome in ("ok", "error", "refused"):
        make_call(user_id=alice.pk, username="alice", outcome=outcome)
    Preference.objects.put(alice.pk, "theme", {"dark": True})
    Room.objects.start(alice, "Design", "design").post(alice, "Hello")
    return link_for(bob).split("8000", 1)[1]


@pytest.fixture
def browser(link: str) -> Iterator[Browser]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield browser
        browser.close()


def found_in(page: Page) -> list[str]:
    """What axe finds grave. It is evaluated, not loaded, so the page's policy has no say in it."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{page.url} {violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def test_what_cannot_be_read_would_be_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        '<html lang="en"><title>x</title><main><p style="color: #bbb; background: #fff">faint</p></main>'
    )
    assert "color-contrast" in "".join(found_in(page))


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_grave_is_found(browser: Browser, served: str, link: str, scheme: Scheme, width: int) -> None:
    page = open_tab(
        browser, [], color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    )
    found: list[str] = []

    def look(path: str) -> None:
        page.goto(f"{served}{path}")
        check()

    def check() -> None:
        found.extend(found_in(page))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{page.url} is wider than the window")

    for path in ("/", "/sign-in/", link, "/password/x/y/", "/password/chosen/"):
        look(path)
    page.goto(f"{served}/sign-in/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    check()
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Connect a client")).to_be_visible()
    for path in SIGNED_IN:
        look(path)

    page.goto(f"{served}/rooms/design/")
    expect(page.get_by_text("Hello")).to_be_visible()
    check()
    page.goto(f"{served}/me/keys/")
    page.get_by_role("link", name="Revoke laptop").click()
    check()
    page.goto(f"{served}/me/usage/")
    page.get_by_text("As a table").click()
    check()
    page.goto(f"{served}/me/")
    page.get_by_text("Narrow what it may do").click()
    check()
    page.get_by_label("A name for its key").fill("laptop")
    page.get_by_role("button", name="Make a key").click()  # refused: there is one
    check()
    page.get_by_label("A name for its key").fill("desktop")
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("Waiting for the first connection…")).to_be_visible()
    check()
    assert found == []
