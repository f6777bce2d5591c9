"""A room in real browsers: two people and an agent, lost connections, hostile text, and the keyboard alone."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright

from collab_app.models import Room
from sessions_app.models import User
from sessions_app.pool import identity_pool
from tests.conftest import key_for
from tests.project.test_browser import QUIET, open_tab
from tests.services import browser_path
from tests.wire import Wire

pytestmark = [pytest.mark.browser, pytest.mark.process]

Agent = Callable[..., None]


@pytest.fixture
def agent(served: str, alice: User) -> Agent:
    """alice's MCP client, over HTTP: calls the tool `collaboration`."""
    wire = Wire(key_for(alice))

    def call(**arguments: Any) -> None:
        message = wire.request(
            "tools/call", {"name": "collaboration", "arguments": {"roomId": "design", **arguments}}
        )
        headers = wire.headers(message) | {"host": served.partition("//")[2]}
        answer = httpx2.post(f"{served}/mcp", json=message, headers=headers)
        assert answer.status_code == 200
        assert '"isError":true' not in answer.text.replace(" ", ""), answer.text

    return call


@pytest.fixture
def browser(served: str, room: Room, dora: User, agent: Agent) -> Iterator[Browser]:
    """After everybody is there: while Playwright runs, its loop keeps the ORM from this thread."""
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
def enter(browser: Browser, served: str, complaints: list[str]) -> Callable[..., Page]:
    """Somebody's page of the room, whose sign-in is on the way to it."""

    def enter(username: str, before: Callable[[Page], None] = lambda page: None, **details: Any) -> Page:
        page = open_tab(browser, complaints, **details)
        before(page)
        page.goto(f"{served}/rooms/design/")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#connection")).to_have_text("Connected")
        return page

    return enter


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_label("Message", exact=True).press("Enter")


def expect_texts(page: Page, *texts: str) -> None:
    expect(page.locator("#messages .text")).to_have_text(list(texts))
    expect(page.locator("#unsent li")).to_have_count(0)


def in_pool(work: Callable[[], Any]) -> Any:
    return identity_pool.submit(work).result()


def test_two_people_and_an_agent_meet(enter: Callable[..., Page], agent: Agent) -> None:
    alice, bob = enter("alice"), enter("bob")
    expect(alice.get_by_text("Nobody has said anything yet.")).to_be_visible()
    say(alice, "Hello bob")
    say(bob, "Hello alice\n\nand all")
    agent(action="message", message="Hello from a machine")
    agent(action="state", stateKey="plan", stateValue={"step": 1})
    for page in (alice, bob):
        expect_texts(page, "Hello bob", "Hello alice\n\nand all", "Hello from a machine")
        expect(page.locator("#messages li").last.locator(".head")).to_contain_text("alice with ")
        expect(page.locator("#values pre")).to_have_text('{\n  "step": 1\n}')
        expect(page.locator("#members li", has_text="alice")).to_contain_text("in a browser, with ")

    bob.get_by_role("button", name="Edit plan").click()
    bob.get_by_label("Value, as JSON").fill('{"step": ')
    bob.get_by_role("button", name="Save").click()
    expect(bob.locator("#value-error")).to_contain_text("This is not JSON")
    bob.get_by_label("Value, as JSON").fill('"\\u0000"')
    bob.get_by_role("button", name="Save").click()
    expect(bob.locator("#value-error")).to_contain_text("Not accepted")
    bob.get_by_label("Value, as JSON").fill('"mine"')
    agent(action="state", stateKey="plan", stateValue={"step": 2})
    bob.get_by_role("button", name="Save").click()
    expect(bob.locator("#conflict")).to_contain_text('"step": 2')
    bob.get_by_role("button", name="Save mine over it").click()
    for page in (alice, bob):
        expect(page.locator("#values pre")).to_have_text('"mine"')
    alice.get_by_role("button", name="Remove plan").click()
    alice.get_by_role("button", name="Remove", exact=True).click()
    expect(bob.get_by_text("Nothing is shared yet.")).to_be_visible()


def test_who_is_removed_or_signed_out_is_told_at_once(enter: Callable[..., Page], served: str) -> None:
    alice, bob = enter("alice"), enter("bob")
    bob.get_by_label("Message", exact=True).fill("What I still wanted")
    expect(bob.locator("#members").get_by_role("button")).to_have_count(0)
    alice.get_by_role("button", name="Remove bob").click()
    alice.get_by_role("button", name="Remove", exact=True).click()
    expect(bob.get_by_text("You are not in this room any more")).to_be_visible()
    expect(bob.get_by_label("Message", exact=True)).to_have_value("What I still wanted")
    expect(alice.locator("#members li")).to_have_count(1)
    bob.get_by_role("link", name="Your rooms").click()
    expect(bob.get_by_text("You are in no room yet.")).to_be_visible()
    alice.get_by_label("Invite by user name").fill("nobody")
    alice.get_by_role("button", name="Invite").click()
    expect(alice.get_by_text("There is no user nobody.")).to_be_visible()
    alice.get_by_label("Invite by user name").fill("bob")
    alice.get_by_role("button", name="Invite").click()
    expect(alice.locator("#members li", has_text="bob")).to_contain_text("invited")
    bob.reload()
    bob.get_by_role("button", name="Accept the invitation to Design").click()
    expect(bob.locator("#connection")).to_have_text("Connected")

    elsewhere = bob.context.new_page()
    elsewhere.goto(f"{served}/rooms/")
    elsewhere.get_by_role("button", name="Sign out").click()
    expect(bob.get_by_text("You are signed out.")).to_be_visible()
    bob.get_by_role("link", name="Sign in again").click()
    bob.get_by_label("Username").fill("bob")
    bob.get_by_label("Password").fill("correct horse")
    bob.get_by_role("button", name="Sign in").click()
    expect(bob.locator("#connection")).to_have_text("Connected")
    bob.get_by_role("button", name="Leave the room").click()
    expect(bob.locator("#confirm-says")).to_have_text("You can come back as long as you know its id.")
    bob.get_by_role("button", name="Leave", exact=True).click()
    expect(bob.get_by_role("heading", name="Rooms", exact=True)).to_be_visible()


class Cable:
    """Between a page and the server. Cut, nothing passes, and who connects anew is not let in."""

    def __init__(self) -> None:
        self.is_cut = False
        self.eats_answers = False
        self._routes: list[WebSocketRoute] = []

    def lay(self, page: Page) -> None:
        page.route_web_socket("**/ws/rooms/*", self._take)

    def cut(self) -> None:
        self.is_cut = True
        for route in self._routes:
            route.close(code=1012)
        self._routes.clear()

    def _take(self, route: WebSocketRoute) -> None:
        if self.is_cut:
            route.close(code=1012)
            return
        server = route.connect_to_server()
        route.on_message(server.send)
        server.on_message(lambda frame: self._pass(route, frame))
        self._routes.append(route)

    def _pass(self, route: WebSocketRoute, frame: str | bytes) -> None:
        if not (self.eats_answers and ('"done"' in str(frame) or '"messages"' in str(frame))):
            route.send(frame)


def test_a_lost_connection_costs_nothing_and_doubles_nothing(enter: Callable[..., Page]) -> None:
    cable = Cable()
    alice, bob = enter("alice", cable.lay), enter("bob")
    say(alice, "One")
    expect_texts(bob, "One")
    cable.eats_answers = True
    say(alice, "Two, of which I am not told that it was said")
    expect_texts(bob, "One", "Two, of which I am not told that it was said")
    cable.cut()
    expect(alice.locator("#connection")).to_have_text("Reconnecting…")
    say(alice, "Three, while I am away")
    say(bob, "Four, meanwhile")
    expect(alice.locator("#unsent li")).to_have_count(2)
    cable.is_cut = cable.eats_answers = False
    expect(alice.locator("#connection")).to_have_text("Connected", timeout=10_000)
    texts = ("One", "Two, of which I am not told that it was said", "Four, meanwhile", "Three, while I am away")
    for page in (alice, bob):
        expect_texts(page, *texts)


def test_who_was_removed_while_away_is_told(enter: Callable[..., Page], room: Room, complaints: list[str]) -> None:
    """The handshake fails, and a script is not told why."""
    cable = Cable()
    bob = enter("bob", cable.lay)
    cable.cut()
    say(bob, "Never said")
    in_pool(lambda: room.put_out(User.objects.get(username="bob")))
    cable.is_cut = False
    expect(bob.get_by_text("You are not in this room any more")).to_be_visible(timeout=10_000)
    expect(bob.get_by_text("Never said")).to_be_visible()
    assert all("/rooms/design" in complaint for complaint in complaints), "only of what was looked up"
    complaints.clear()


HIDE = """isHidden => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_what_is_new_is_marked_until_it_is_seen(enter: Callable[..., Page], room: Room) -> None:
    bob, alice = in_pool(lambda: tuple(User.objects.get(username=name) for name in ("bob", "alice")))

    def last_read() -> int:
        return int(in_pool(lambda: room.memberships.get(user=alice).last_read))

    in_pool(lambda: [room.post(bob, f"{number}") for number in range(1, 71)])
    in_pool(lambda: room.read(alice, 40))
    page = enter("alice")
    line = page.get_by_text("New since you were here")
    expect(page.locator("li:has-text('New since') + li .text")).to_have_text("41")
    expect(line).to_be_in_viewport()
    expect(page.locator("#messages .text").first).to_have_text("21")
    page.get_by_role("button", name="Load earlier messages").click()
    expect(page.locator("#messages .text")).to_have_text([str(number) for number in range(1, 71)])
    expect(page.get_by_role("button", name="Load earlier messages")).to_be_hidden()
    expect(page.locator("li:has-text('New since') + li .text")).to_have_text("41")
    assert last_read() == 40, "the newest were not seen yet"
    page.get_by_role("button", name="30 new messages").click()
    expect(page.locator("#newest")).to_be_hidden()
    wait_until(page, lambda: last_read() == 70)

    page.evaluate(HIDE, True)
    in_pool(lambda: room.post(bob, "71"))
    expect(page).to_have_title("(1) Design – Concierge")
    expect(page.locator("li:has-text('New since') + li .text")).to_have_text("71")
    assert last_read() == 70
    page.evaluate(HIDE, False)
    expect(page).to_have_title("Design – Concierge")
    wait_until(page, lambda: last_read() == 71)


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


CANARY = "<img src=x onerror=window.hit=1><script>window.hit=1</script>{{ 7 }}'\"><b>"


def test_what_others_write_is_text(enter: Callable[..., Page], agent: Agent, room: Room) -> None:
    def plant() -> None:
        eve = User.objects.create_user("<script>window.hit=1</script>")
        bob = User.objects.get(username="bob")
        Room.objects.filter(pk=room.pk).update(name=CANARY)
        room.invite(eve, bob)
        room.attend(bob, CANARY[:90])
        room.post(bob, CANARY, client=CANARY[:90])
        room.post(bob, "x" * 16_000)
        room.post(bob, "\u202edesrever\n" * 200)
        room.state.set(CANARY, {CANARY: CANARY, "long": "y" * 30_000}, bob, client=CANARY[:90])

    in_pool(plant)
    alice = enter("alice", viewport={"width": 390, "height": 800})
    expect(alice.locator("#messages .text").first).to_have_text(CANARY)
    expect(alice.locator("h1")).to_have_text(CANARY)
    expect(alice.locator("#messages .cut")).to_have_count(2)
    alice.get_by_role("button", name="State").click()
    expect(alice.locator("#values h3")).to_have_text(CANARY)
    alice.get_by_role("button", name="Edit").click()
    alice.get_by_role("button", name="Cancel").click()
    alice.get_by_role("button", name="Remove").click()
    alice.get_by_role("button", name="Cancel").click()
    alice.get_by_role("button", name="People").click()
    expect(alice.get_by_text("<script>window.hit=1</script>", exact=True)).to_be_visible()
    assert alice.evaluate("window.hit") is None
    width = alice.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width == [390, 390], "nothing is wider than the window"
    assert alice.locator("main script, main img, main [onerror]").count() == 0


def test_a_room_by_keyboard(enter: Callable[..., Page], served: str, complaints: list[str]) -> None:
    alice = enter("alice")

    def tab_to(name: str) -> None:
        for _ in range(40):
            alice.keyboard.press("Tab")
            focused = alice.locator(":focus")
            label = focused.evaluate("each => each.labels?.[0]?.innerText ?? each.ariaLabel ?? each.innerText")
            if label == name:
                assert focused.evaluate("each => getComputedStyle(each).outlineStyle") == "solid", "it is seen"
                return
        raise AssertionError(f"Tab does not lead to {name}")

    tab_to("Message")
    alice.keyboard.type("One")
    alice.keyboard.press("Shift+Enter")
    alice.keyboard.type("Two")
    alice.keyboard.press("Enter")
    expect_texts(alice, "One\nTwo")
    tab_to("Add a value")
    alice.keyboard.press("Enter")
    alice.keyboard.type("count")
    tab_to("Value, as JSON")
    alice.keyboard.type("41")
    tab_to("Save")
    alice.keyboard.press("Enter")
    expect(alice.locator("#values pre")).to_have_text("41")
    expect(alice.get_by_role("button", name="Add a value")).to_be_focused()
    alice.keyboard.press("Shift+Tab")  # Remove
    alice.keyboard.press("Enter")
    expect(alice.get_by_role("dialog")).to_contain_text("removed for everybody")
    alice.keyboard.press("Escape")
    expect(alice.get_by_role("button", name="Remove count")).to_be_focused()
    expect(alice.locator("#values pre")).to_have_text("41")
