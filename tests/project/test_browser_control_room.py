"""An operator's first day in a real browser: a member, his key, his client at work, and both shut out again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from functools import partial
from typing import Any

import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.control_room import make_superuser
from tests.project.test_browser import QUIET, open_tab
from tests.services import browser_path
from tests.wire import Durable
from tools_app.apps import make_policies

pytestmark = [pytest.mark.browser, pytest.mark.process]

WHY = "moved to the new server"
Connect = Callable[[str, str], AbstractContextManager[Client]]


@pytest.fixture
def page(served: str, complaints: list[str]) -> Iterator[Page]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
    make_superuser()
    make_policies()
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(executable_path=browser_path(), args=QUIET)
        yield open_tab(browser, complaints)
        browser.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """Of all consoles, scripts and requests: what the policy forbids is among them. There are none in the end."""
    complaints: list[str] = []
    yield complaints
    assert complaints == []


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    """To the loop of another thread, where the clients are."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def connect(portal: BlockingPortal, served: str) -> Connect:
    """A client that nobody here wrote, by the name it gives itself. It shakes hands, so that it has a session."""

    @asynccontextmanager
    async def connected(key: str, name: str) -> Any:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http,
            Client(
                streamable_http_client(f"{served}/mcp", http_client=http),
                mode="legacy",
                client_info=Implementation(name=name, version="1"),
            ) as client,
        ):
            yield client

    return lambda key, name: portal.wrap_async_context_manager(connected(key, name))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def sign_in(page: Page, origin: str) -> None:
    page.goto(f"{origin}/admin/")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill("correct horse")
    page.locator("#login-form [type=submit]").click()
    expect(page.get_by_role("link", name="Live sessions").first).to_be_visible()


def make_person(page: Page, origin: str, name: str) -> None:
    """By the form, with the group chosen on the page that follows it."""
    page.goto(f"{origin}/admin/sessions_app/user/add/")
    page.locator("#id_username").fill(name)
    for field in ("#id_password1", "#id_password2"):
        page.locator(field).fill("a staple and a battery")
    press(page, "Save")
    expect(page.locator("#id_groups_to option")).to_have_text(["Members"])


def give_tool(page: Page, origin: str, tool: str, group: str) -> None:
    page.goto(f"{origin}/admin/tools_app/toolpolicy/{tool}/change/")
    page.get_by_role("checkbox", name=group, exact=True).check()
    press(page, "Save")
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def make_key(page: Page, origin: str, owner: str, name: str) -> str:
    """It is typed by whom it shall be, chosen of those offered, and shown once."""
    page.goto(f"{origin}/admin/sessions_app/apikey/add/")
    page.locator("#id_user").fill(owner)
    page.locator("#id_name").fill(name)
    with page.expect_response(lambda response: response.request.method == "POST") as shown:
        press(page, "Save")
    assert "no-store" in shown.value.headers["cache-control"]
    secret = page.locator("#secret").inner_text()
    page.locator("#secret + button").click()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    return secret


def act(page: Page, action: str, row: str, yes: str, reason: str = "") -> None:
    """On a row of the list that is open, with the question answered."""
    page.get_by_role("row", name=row).get_by_role("checkbox").check()
    page.get_by_label("Select action to run").select_option(label=action)
    press(page, "Run")
    if reason:
        page.locator("#reason").fill(reason)
    press(page, yes)


def tools_of(portal: BlockingPortal, client: Client) -> set[str]:
    return {tool.name for tool in portal.call(partial(client.list_tools, cache_mode="bypass")).tools}


def refusal_of(origin: str, key: str) -> httpx2.Response:
    durable = Durable(key)
    message = durable.request(
        "initialize", {"protocolVersion": "2025-11-25", "clientInfo": {}, "capabilities": {}}
    )
    headers = {name: value for name, value in durable.headers().items() if value and name != "host"}
    return httpx2.post(f"{origin}/mcp", json=message, headers=headers)


def test_a_member_is_made_served_and_shut_out(
    page: Page, served: str, connect: Connect, portal: BlockingPortal
) -> None:
    sign_in(page, served)
    make_person(page, served, "mallory")
    give_tool(page, served, "close-shop", "Members")
    lost, kept = (make_key(page, served, "mallory", name) for name in ("lost laptop", "desktop"))
    page.goto(f"{served}/admin/sessions_app/apikey/")
    assert lost not in page.content()

    with connect(lost, "on-the-laptop") as first, connect(kept, "on-the-desktop") as second:
        assert {"close-shop", "get-user-profile"} <= tools_of(portal, first)
        page.get_by_role("link", name="Live sessions").first.click()
        page.get_by_role("row", name="on-the-laptop").get_by_role("link", name="lost laptop").click()
        expect(page.get_by_text("2025-11-25 (handshake)")).to_be_visible()
        page.get_by_role("link", name="Live sessions").first.click()
        act(page, "End the selected sessions and revoke their credentials", "on-the-laptop", "End and revoke", WHY)
        expect(page.get_by_text("Credentials revoked: 1; nothing to revoke: 0.")).to_be_visible()
        with pytest.raises(Exception, match=r".*"):
            tools_of(portal, first)
        refused = refusal_of(served, lost)
        assert (refused.status_code, WHY in refused.text) == (401, True)

        assert "close-shop" in tools_of(portal, second)
        page.goto(f"{served}/admin/tools_app/toolpolicy/")
        act(page, "Switch off", "close-shop", "Switch off")
        expect(page.get_by_text("Switched off: 1.")).to_be_visible()
        assert "close-shop" not in tools_of(portal, second)
        assert "get-user-profile" in tools_of(portal, second)

    page.goto(f"{served}/admin/admin/logentry/")
    for done in (
        "mallory",
        "Given to: Members.",
        "lost laptop",
        "Ended, and its credential revoked.",
        "Switched off.",
    ):
        expect(page.get_by_role("row", name=done).first).to_be_visible()
    page.goto(f"{served}/admin/tools_app/toolpolicy/close-shop/history/")
    for done in ("Given to: Members.", "Switched off."):
        expect(page.get_by_text(done)).to_be_visible()
