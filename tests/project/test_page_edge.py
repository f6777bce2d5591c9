"""Pages, too, take no request that is too large or too slow: before Django reads anything of it."""

from collections.abc import Mapping
from typing import Any

import pytest

from sessions_app.transport import guard
from tests.wire import Answer, Exchange, encoded

FORM = {"host": "127.0.0.1:8000", "content-type": "application/x-www-form-urlencoded"}
PAGES = ["/sign-in/", "/admin/login/", "/nowhere/"]


async def ask(
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    is_whole: bool = True,
    method: str = "POST",
) -> Answer:
    lines = encoded({**FORM, **(headers or {})})
    exchange = Exchange(body, lines, method=method, path=path, raw_path=path.encode(), http_version="1.1")
    exchange._parts[0]["more_body"] = not is_whole
    return await exchange.wait()


@pytest.mark.parametrize("path", PAGES)
async def test_a_body_that_does_not_arrive_is_not_waited_for(path: str, settings: Any) -> None:
    settings.SLOWEST_REQUEST = 0.1
    answer = await ask(path, b"username=a", is_whole=False)
    assert (answer.status, answer.body) == (408, b"The body did not arrive in time.\n")
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
async def test_a_body_has_a_mebibyte_at_most(path: str) -> None:
    assert (await ask(path, b"a" * (guard.LARGEST_BODY + 1))).status == 413
    assert (await ask(path, headers={"content-length": str(guard.LARGEST_BODY + 1)})).status == 413
    assert (await ask(path, headers={"content-length": "x"})).status == 400


@pytest.mark.parametrize("path", PAGES)
async def test_headers_are_few_and_short(path: str) -> None:
    assert (await ask(path, headers={f"x-{number}": "a" for number in range(101)})).status == 431
    assert (await ask(path, headers={"cookie": "a" * guard.LARGEST_HEADER})).status == 431


@pytest.mark.usefixtures("db_for_threads")
async def test_what_comes_whole_arrives() -> None:
    assert (await ask("/livez", method="GET")).status == 200
    assert (await ask("/sign-in/", b"username=a")).status == 403  # by Django, for want of its token
