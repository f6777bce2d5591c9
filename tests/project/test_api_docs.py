"""docs/api.md tells the truth: its examples work as they are printed, and it has every path."""

import re
import shlex
from collections.abc import Iterator

from project.config import BASE_DIR
from sessions_app.models import TokenFamily, User
from tests.conftest import key_for, make_user
from tests.project.test_api_routes import ROUTES
from tests.rest import NO_BODY, Answer, Rest

TEXT = (BASE_DIR / "docs" / "api.md").read_text()
URL = "http://127.0.0.1:8000/api/"


def examples() -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        yield from block.strip().splitlines()


def run(command: str) -> Answer:
    """As curl would."""
    words = iter(shlex.split(command))
    assert next(words) == "curl"
    method, data, headers, url = "", NO_BODY, {}, ""
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name.lower()] = value
        elif word == "-d":
            data = next(words).encode()
        elif word == "-X":
            method = next(words)
        else:
            url = word
    assert url.startswith(URL)
    return Rest().ask(
        method or ("GET" if data is NO_BODY else "POST"), url.removeprefix(URL), data, headers=headers
    )


def test_every_example_works_in_the_order_of_the_page(db_for_threads: None) -> None:
    ada = make_user("ada", "Members")
    known = {"$KEY": key_for(ada), "$REFRESH": TokenFamily.open(ada)[1].value}
    commands = list(examples())
    assert len(commands) == 11
    for command in commands:
        for name, value in known.items():
            command = command.replace(name, value)
        assert run(command).status in (200, 201, 204), command
    assert User.objects.get(username="ada").api_keys.filter(name="backup job").exists()


def test_every_path_is_on_the_page() -> None:
    for path in filter(None, ROUTES):
        assert f"`/api/{re.sub(r'<\w+:', '<', path)}`" in TEXT


def test_the_printed_problem_is_what_is_sent(alice: User) -> None:
    (printed,) = re.findall(r"```json\n(.*?)\n```", TEXT)
    assert Rest(key_for(alice)).post("keys/", {}).body.decode() == printed.replace('": ', '":').replace(
        ', "', ',"'
    )
