"""Takes the docs' pictures anew: `make pictures`.

Or every page, each light and dark, wide and narrow, to be looked at: `make pictures ARGS="FOLDER --all"`.
It starts a server of its own, with made-up people.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from project.config import BASE_DIR
from tests.process import Process
from tests.services import browser_path

WIDE, NARROW = 1440, 390
OPERATOR, GUEST = "olivia", "alice"
PASSWORD = "correct horse"


@dataclass(frozen=True)
class Picture:
    name: str
    path: str
    who: str = ""
    """Empty: nobody is signed in."""
    is_in_docs: bool = False


PICTURES = (
    Picture("welcome", "/"),
    Picture("sign-in", "/sign-in/"),
    Picture("me", "/me/", GUEST, is_in_docs=True),
    Picture("my-keys", "/me/keys/", GUEST),
    Picture("my-sessions", "/me/sessions/", GUEST),
    Picture("my-rooms", "/me/rooms/", GUEST),
    Picture("my-usage", "/me/usage/", GUEST),
    Picture("my-preferences", "/me/preferences/", GUEST),
    Picture("my-account", "/me/account/", GUEST),
    Picture("rooms", "/rooms/", GUEST),
    Picture("room", "/rooms/design/", GUEST, is_in_docs=True),
    Picture("control-room", "/admin/", OPERATOR, is_in_docs=True),
    Picture("sessions", "/admin/sessions_app/session/?state=live", OPERATOR, is_in_docs=True),
    Picture("session", "/admin/sessions_app/session/1/change/", OPERATOR),
    Picture("tools", "/admin/tools_app/toolpolicy/", OPERATOR, is_in_docs=True),
    Picture("tool", "/admin/tools_app/toolpolicy/collaboration/change/", OPERATOR),
    Picture("record", "/admin/tools_app/toolcall/", OPERATOR),
    Picture("users", "/admin/sessions_app/user/", OPERATOR),
    Picture("user", "/admin/sessions_app/user/3/change/", OPERATOR, is_in_docs=True),
    Picture("new-key", "/admin/sessions_app/apikey/add/", OPERATOR),
    Picture("keys", "/admin/sessions_app/apikey/", OPERATOR),
    Picture("groups", "/admin/auth/group/1/change/", OPERATOR),
    Picture("admin-rooms", "/admin/collab_app/room/", OPERATOR),
    Picture("admin-room", "/admin/collab_app/room/1/change/", OPERATOR),
)


def main() -> None:
    asked = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    asked.add_argument("folder", type=Path, nargs="?", default=BASE_DIR / "docs" / "images")
    asked.add_argument("--all", action="store_true", help="every page, light and dark, wide and narrow")
    chosen = asked.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        server = Process(Path(directory))
        try:
            server.wait_until_ready()
            server.manage("shell", "-c", (Path(__file__).with_name("people.py")).read_text())
            for picture in taken(server.url, chosen.folder, is_all=chosen.all):
                print(picture)
        finally:
            server.end()


def taken(url: str, folder: Path, *, is_all: bool) -> Iterator[Path]:
    pictures = [picture for picture in PICTURES if is_all or picture.is_in_docs]
    widths, schemes = ((WIDE, NARROW), ("light", "dark")) if is_all else ((WIDE,), ("light",))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        for width, scheme, who in product(widths, schemes, ("", GUEST, OPERATOR)):
            context = signed_in(browser, url, who, width, scheme)
            for picture in pictures:
                if picture.who == who:
                    to = folder / (f"{picture.name}-{scheme}-{width}.png" if is_all else f"{picture.name}.png")
                    yield take(context.new_page(), f"{url}{picture.path}", to)
            context.close()
        browser.close()


def signed_in(browser: Browser, url: str, who: str, width: int, scheme: str) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="Europe/Berlin",
    )
    page = context.new_page()
    page.goto(f"{url}/sign-in/")
    if who:
        page.get_by_label("Username").fill(who)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{url}/me/")
    page.close()
    return context


def take(page: Page, url: str, to: Path) -> Path:
    page.goto(url)
    page.wait_for_timeout(500)  # fonts, and what a socket tells
    page.screenshot(path=to)
    page.close()
    return to


main()
