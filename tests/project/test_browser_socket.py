"""A page of this server in a real browser: what docs/websocket.md prints opens a socket; other pages open none."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from project.config import BASE_DIR
from sessions_app.models import User
from sessions_app.pool import identity_pool
from tests.control_room import make_superuser
from tests.project.test_browser import QUIET, open_tab, sign_in
from tests.services import browser_path

pytestmark = [pytest.mark.browser, pytest.mark.process]

PRINTED = re.search(r"```js\n(.*?)```", (BASE_DIR / "docs/websocket.md").read_text(), re.DOTALL)
assert PRINTED is not None
FUNCTIONS, _, _ = PRINTED[1].partition("const ask = ")
HERE = FUNCTIONS.replace("new WebSocket(url,", "new WebSocket(location.origin.replace('http', 'ws') + '/ws/mcp',")


@pytest.fixture
def browser(served: str, db_for_threads: None) -> Iterator[Browser]:
    make_superuser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, served: str) -> Page:
    """Signed in. The test's server is on a port of its own, which its public URL does not know."""
    complaints: list[str] = []
    page = open_tab(browser, complaints)
    sign_in(page, served)
    page.wait_for_load_state("networkidle")  # what is still being sent would be broken off by the test's end
    assert complaints == []
    return page


def run(page: Page, script: str) -> object:
    return page.evaluate(f"async () => {{ {HERE} {script} }}")


def test_what_is_printed_works(page: Page) -> None:
    said = run(
        page,
        """
        const told = [], ask = client(await open(), (message) => told.push(message.params.progress));
        const discovered = await ask("server/discover");
        const { tools } = await ask("tools/list");
        const counted = await ask("tools/call", { name: "count", arguments: { to: 2 } }, { progressToken: 1 });
        const profile = await ask("tools/call", { name: "get-user-profile", arguments: {} });
        const refused = await ask("tools/call", { name: "no-such-tool", arguments: {} }).catch(({ code }) => code);
        return [discovered.supportedVersions, tools.length > 2, counted.structuredContent.result, told,
                profile.structuredContent.username, refused];
        """,
    )
    assert said == [["2026-07-28"], True, "counted to 2", [1, 2], "operator", -32602]


def test_a_page_listens(page: Page) -> None:
    run(
        page,
        """
        await new Promise((acknowledged) => {
          window.changed = new Promise((changed) => open().then((socket) => {
            const does = { "subscriptions/acknowledged": acknowledged, "tools/list_changed": changed };
            const ask = client(socket, ({ method, params }) => does[method.replace("notifications/", "")](params));
            ask("subscriptions/listen", { notifications: { toolsListChanged: true } });
          }));
        });
        """,
    )
    demoted = User.objects.filter(username="operator")
    identity_pool.submit(lambda: demoted.update(is_superuser=False)).result()
    assert page.evaluate("() => window.changed") == {"_meta": {"io.modelcontextprotocol/subscriptionId": 1}}


def test_who_signs_out_elsewhere_is_told(page: Page, served: str) -> None:
    closed = run(
        page,
        """
        const socket = await open(), ask = client(socket);
        await ask("tools/list");
        const closed = new Promise((resolve) => socket.addEventListener("close", ({ code }) => resolve(code)));
        const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
        await fetch("/admin/logout/", { method: "POST", headers: { "X-CSRFToken": token } });
        return [await closed, await ask("tools/list").catch(({ message }) => message)];
        """,
    )
    assert closed == [4401, "The socket is closed"]


def test_who_is_not_signed_in_gets_no_ticket(browser: Browser, served: str) -> None:
    stranger = browser.new_page()
    stranger.goto(f"{served}/admin/login/")
    assert run(stranger, "return await open().catch(({ message }) => message);") == "No ticket: 401"


def test_a_ticket_is_no_use_to_another_page(page: Page, browser: Browser, served: str) -> None:
    ticket = run(
        page,
        """
        const headers = { "X-CSRFToken": document.cookie.match(/csrftoken=([^;]+)/)[1] };
        const answer = await fetch("/api/websocket-tickets/", { method: "POST", headers });
        return (await answer.json()).ticket;
        """,
    )
    elsewhere = browser.new_page()
    elsewhere.goto("data:text/html,<title>elsewhere</title>")
    url = f"{served.replace('http', 'ws')}/ws/mcp"
    assert elsewhere.evaluate(opening(url, "mcp", ticket)) == "closed"
    assert page.evaluate(opening(url, "mcp", ticket)) == "open"
    assert page.evaluate(opening(url, "mcp")) == "closed"  # a cookie alone opens nothing, on whatever page


def opening(url: str, *subprotocols: object) -> str:
    return f"""new Promise((resolve) => {{
        const socket = new WebSocket({url!r}, {list(subprotocols)});
        socket.onopen = () => resolve("open");
        socket.onclose = () => resolve("closed");
    }})"""
