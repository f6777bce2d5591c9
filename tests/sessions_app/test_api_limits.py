"""How often the REST API may be asked, and its lists in pages."""

from typing import Any

import pytest

from sessions_app.api import throttle
from sessions_app.limits import Limit
from sessions_app.models import ApiKey, Preference, SessionToken, User
from tests.conftest import key_for
from tests.rest import Rest, browser
from tests.sessions_app.endpoints import session_of


@pytest.fixture
def three_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "API", Limit("api", 3, 3600))


@pytest.mark.usefixtures("three_an_hour")
def test_a_user_has_one_limit_over_all_that_he_comes_with(alice: User, bob: User) -> None:
    clients = [Rest(key_for(alice)), Rest(key_for(alice)), Rest(SessionToken.mint(alice)[1].value), browser(alice)]
    answers = [client.get("keys/") for client in clients]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert 3599 <= int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["ratelimit-policy"] == '"api";q=3;w=3600'
    assert refused.headers["ratelimit"] == f'"api";r=0;t={refused.headers["retry-after"]}'
    assert refused.problem["title"] == "Too Many Requests"
    assert (refused.problem["limit"], refused.problem["rate"]) == ("api", "3/h")
    assert Rest(key_for(bob)).get("keys/").status == 200


@pytest.mark.usefixtures("three_an_hour")
def test_what_is_refused_did_nothing(alice: User) -> None:
    client = Rest(key_for(alice))
    statuses = [client.post("keys/", {"name": str(number)}).status for number in range(5)]
    assert statuses == [201] * 3 + [429] * 2
    assert ApiKey.objects.count() == 4


@pytest.mark.usefixtures("three_an_hour")
@pytest.mark.parametrize(
    "path", ["token/", "token/refresh/", "token/revoke/", "session-tokens/", "schema/", "docs/"]
)
def test_who_has_not_signed_in_is_limited_by_his_address(alice: User, path: str) -> None:
    method = "GET" if path in ("schema/", "docs/") else "POST"
    stranger, other = Rest(ip="10.0.0.7"), Rest(ip="10.0.0.8")
    statuses = [stranger.ask(method, path).status for _ in range(4)]
    assert statuses[-1] == 429
    assert 429 not in statuses[:-1]
    assert other.ask(method, path).status != 429
    assert Rest(key_for(alice), ip="10.0.0.7").get("keys/").status == 200


def test_a_key_s_own_limit_counts_here_too(alice: User) -> None:
    slow = Rest(key_for(alice, rate="2/h"))
    assert [slow.get("keys/").status for _ in range(3)] == [200, 200, 429]
    assert slow.get("keys/").problem["limit"] == "api-key"
    assert Rest(key_for(alice)).get("keys/").status == 200


# --- Pages ---


def walk(client: Rest, path: str, limit: int) -> list[list[dict[str, Any]]]:
    pages, cursor = [], ""
    while True:
        answer = client.get(f"{path}?limit={limit}{cursor}")
        assert answer.status == 200, answer
        pages.append(answer.data["results"])
        if answer.data["next"] is None:
            return pages
        cursor = f"&cursor={answer.data['next']}"


def test_a_list_comes_whole_and_in_order_whatever_the_size_of_its_pages(alice: User) -> None:
    for number in range(11):
        ApiKey.mint(alice, f"{number}")
        session_of(alice, f"api-key:{number}")
        Preference.objects.put(alice.pk, f"k{number:02}", number)
    client = browser(alice)
    for path, name in (("keys/", "name"), ("sessions/", "credential"), ("preferences/", "value")):
        for limit in (1, 3, 5, 10, 11, 12, 100):
            pages = walk(client, path, limit)
            assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
            shown = [row[name] for page in pages for row in page]
            numbers = [int(str(value).rpartition(":")[2]) for value in shown]
            assert numbers == (list(range(11)) if path == "preferences/" else list(reversed(range(11))))


def test_what_comes_and_goes_meanwhile_moves_nothing(alice: User) -> None:
    made = [ApiKey.mint(alice, f"{number}")[0] for number in range(6)]
    client = browser(alice)
    first = client.get("keys/?limit=3").data
    ApiKey.mint(alice, "new")
    made[4].revoke()
    second = client.get(f"keys/?limit=3&cursor={first['next']}").data
    assert [row["name"] for row in first["results"] + second["results"]] == ["5", "4", "3", "2", "1", "0"]


def test_fifty_unless_told_otherwise_and_never_more_than_a_hundred(alice: User) -> None:
    for number in range(120):
        Preference.objects.create(user=alice, key=f"{number:03}", value=1)
    client = browser(alice)
    assert len(client.get("preferences/").data["results"]) == 50
    assert len(client.get("preferences/?limit=100").data["results"]) == 100
    for limit in ("101", "0", "-1", "1.5", "x", "", "1e1", "%D9%A1", "007", "9" * 5000):
        answer = client.get(f"preferences/?limit={limit}")
        assert (answer.status, answer.problem["errors"]) == (400, {"limit": ["A whole number from 1 to 100."]})


def test_a_cursor_that_was_not_made_for_this_list_is_refused(alice: User) -> None:
    for number in range(3):
        ApiKey.mint(alice, f"{number}")
        SessionToken.mint(alice)
    client = browser(alice)
    cursor = client.get("keys/?limit=1").data["next"]
    for wrong in ("x", "", cursor[:-1], cursor.swapcase(), f"{cursor}x", "WzFd", "%00", "a:b:c"):
        assert client.get(f"keys/?cursor={wrong}").problem["errors"] == {"cursor": ["Not a cursor of this list."]}
    assert client.get(f"session-tokens/?cursor={cursor}").status == 400
