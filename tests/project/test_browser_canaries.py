"""What people and clients write is text on every page of a real browser: none of it runs, nor tries to."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model
from django.test import RequestFactory
from playwright.sync_api import Browser, Page, expect, sync_playwright

from collab_app.models import Room
from sessions_app.models import (
    ApiKey,
    Session,
    User,
)
from tests.control_room import deletion_of, history_of, list_of, make_superuser, page_of
from tests.project.canaries import ALL, CANARIES, hostile, plant, words_of_session
from tests.project.test_browser import QUIET, open_tab
from tests.services import browser_path

pytestmark = [pytest.mark.browser, pytest.mark.process]

OPENED = 4
"""Pages of one model: of the last of them, each made for another place. Lists show all."""
IN_ALPINE = f"""<p x-data="{{name: '{CANARIES[5]}'}}" x-text="name"></p>"""
LISTENING = """
window.__complaints = [];
addEventListener("securitypolicyviolation", (each) =>
  __complaints.push(`${each.violatedDirective} ${each.blockedURI} ${each.sample}`));
"""


@pytest.fixture
def planted(served: str) -> dict[str, list[str]]:
    """Paths of the operator's and of the owner's pages."""
    operator = make_superuser()
    other = hostile(ALL[:150])
    alice = hostile("alice", 1)
    ApiKey.mint(alice, "gone")[0].revoke(ALL[:200], ALL[:100])
    Session.objects.create(user=alice, credential=ALL[:255], **words_of_session(CANARIES[5])).end(
        ALL[:200], ALL[:100]
    )
    for text in CANARIES:
        plant(alice, other, operator, text)
    LogEntry.objects.create(user=operator, object_repr=ALL[:200], action_flag=CHANGE, change_message=ALL)
    return {"operator": sorted(pages_of_operator(operator)), "alice": sorted(pages_of_owner(alice))}


def some(model: type[Model]) -> list[Model]:
    return list(model._default_manager.order_by("-pk")[:OPENED])


def pages_of_operator(operator: User) -> Iterator[str]:
    request = RequestFactory().get("/admin/")
    request.user = operator
    yield "/admin/"
    for model, page in admin.site._registry.items():
        yield list_of(model)
        for number, row in enumerate(some(model)):
            yield page_of(row)
            if number == 0:
                yield history_of(row)
                if page.has_delete_permission(request, row):
                    yield deletion_of(row)


def pages_of_owner(user: User) -> Iterator[str]:
    yield from (
        "/me/",
        "/me/keys/",
        "/me/sessions/",
        "/me/rooms/",
        "/me/usage/",
        "/me/preferences/",
        "/me/account/",
    )
    yield from (f"/me/keys/key/{key.pk}/revoke/" for key in ApiKey.objects.valid().filter(user=user))
    yield from (f"/me/sessions/{session.pk}/end/" for session in Session.objects.live().filter(user=user))
    for text in CANARIES:
        yield f"/me/preferences/edit/?{urlencode({'key': text})}"
        yield f"/me/preferences/delete/?{urlencode({'key': text})}"
    yield "/rooms/"
    yield from (f"/rooms/{room.public_id}/" for room in Room.objects.all())


@pytest.fixture
def browser(planted: dict[str, list[str]]) -> Iterator[Browser]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield browser
        browser.close()


def listening(browser: Browser, complaints: list[str]) -> Page:
    page = open_tab(browser, complaints)
    page.add_init_script(LISTENING)
    page.on("dialog", lambda dialog: complaints.append(f"{page.url}: {dialog.message}"))
    return page


def heard(page: Page) -> list[str]:
    """What ran on the page that is open, or would have if the policy had let it."""
    ran, refused = page.evaluate("[window.__ran, window.__complaints]")
    return [f"{page.url}: {each}" for each in [*([] if ran is None else ["it ran"]), *refused]]


def told(found: list[str]) -> list[str]:
    """Without what was on its way, such as a font, when the next page was asked for."""
    return [each for each in found if "ERR_ABORTED" not in each]


def look(page: Page, address: str, found: list[str]) -> None:
    answer = page.goto(address)
    if answer is None or answer.status != 200:
        found.append(f"{address} is not there: {answer and answer.status}")
    found.extend(heard(page))


def ask(page: Page, address: str, found: list[str]) -> int:
    """Every question that the buttons of the list lead to, about all rows that it shows. None is answered."""
    page.goto(address)
    actions = page.locator("select[name=action] option").evaluate_all("all => all.map((each) => each.value)")
    asked = [action for action in actions if action and action != "switch_on"]
    for action in asked:
        page.goto(address)
        page.locator("input[name=_selected_action]").evaluate_all("all => all.forEach((each) => each.click())")
        page.locator("select[name=action]").select_option(value=action)
        page.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_load_state()
        found.extend(heard(page))
    return len(asked)


def rotate(page: Page, address: str, found: list[str]) -> None:
    """What a page asks, and the page that shows a secret."""
    page.goto(address)
    page.get_by_role("button", name="Rotate this key").click()
    found.extend(heard(page))
    page.get_by_role("button", name="Make the new secret").click()
    expect(page.locator("#secret")).to_be_visible()
    found.extend(heard(page))


def search(page: Page, origin: str, found: list[str]) -> None:
    """As one types: htmx puts what is found into the page that is open, and Alpine acts on it."""
    page.goto(f"{origin}/admin/")
    page.keyboard.press("Control+k")
    field = page.locator("input[name=s]").first
    for text in CANARIES:
        field.fill(text[:-1])
        with page.expect_response(lambda response: "/admin/search/" in response.url):
            field.press_sequentially(text[-1])
        expect(page.locator("#command-results-list li").first).to_contain_text(text)
        page.locator("#command-results-list li").first.hover()
        found.extend(heard(page))


def test_what_would_run_is_noticed(browser: Browser, served: str) -> None:
    """On a page of the admin's own, written as a template would that trusts what it is given."""
    complaints: list[str] = []
    page = listening(browser, complaints)
    page.goto(f"{served}/admin/login/")
    assert heard(page) == []
    page.evaluate("text => { document.body.insertAdjacentHTML('beforeend', text) }", CANARIES[2])
    page.wait_for_function("window.__complaints.length > 0")
    assert "script-src" in "".join(heard(page))
    page.evaluate("text => { document.body.insertAdjacentHTML('beforeend', text) }", IN_ALPINE)
    page.wait_for_function("window.__ran")  # Alpine reads expressions by itself: no policy hinders it
    assert "it ran" in "".join(heard(page))


def test_nothing_runs_before_an_operator(browser: Browser, served: str, planted: dict[str, list[str]]) -> None:
    found: list[str] = []
    page = listening(browser, found)
    page.goto(f"{served}/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("correct horse")
    page.locator("#login-form [type=submit]").click()
    for path in planted["operator"]:
        look(page, f"{served}{path}", found)
    lists = [path for path in planted["operator"] if path.count("/") == 4]
    assert sum(ask(page, f"{served}{path}", found) for path in lists) >= 10
    [rotated, *_] = [path for path in planted["operator"] if "/apikey/" in path and path.endswith("/change/")][1:]
    rotate(page, f"{served}{rotated}", found)
    search(page, served, found)
    assert told(found) == []


def test_nothing_runs_before_their_owner(browser: Browser, served: str, planted: dict[str, list[str]]) -> None:
    found: list[str] = []
    page = listening(browser, found)
    page.goto(f"{served}/sign-in/")
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()
    for path in planted["alice"]:
        look(page, f"{served}{path}", found)
        if path.startswith("/rooms/") and path != "/rooms/":
            expect(page.locator("#messages .text")).to_have_count(1)
            found.extend(heard(page))
    assert told(found) == []
