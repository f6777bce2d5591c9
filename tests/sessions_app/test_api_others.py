"""What is somebody else's is not there: the same answer, byte for byte, as for what never was or is over."""

from typing import Any

import pytest
from django.utils import timezone

from sessions_app.models import ApiKey, Preference, Session, SessionToken, User
from tests.conftest import key_for
from tests.rest import Rest, browser
from tests.sessions_app.endpoints import WITH_IDS, Endpoint, belongings, stored

pytestmark = pytest.mark.alike

NEVER = {"key": 999_999, "token": 999_999, "session": 999_999, "preference": "never"}

with_ids = pytest.mark.parametrize("endpoint", [e for e in WITH_IDS if e.method != "PUT"], ids=str)


@pytest.fixture(params=["key", "session token", "cookie"])
def client(request: pytest.FixtureRequest, alice: User) -> Rest:
    """alice's."""
    if request.param == "cookie":
        return browser(alice)
    return Rest(key_for(alice) if request.param == "key" else SessionToken.mint(alice)[1].value)


@with_ids
def test_another_s_is_answered_as_what_never_was(client: Rest, bob: User, endpoint: Endpoint) -> None:
    ids = {**belongings(bob), "preference": "his"}
    Preference.objects.put(bob.pk, "his", 1)
    before = stored()
    never = endpoint.ask(client, NEVER)
    assert never.status == 404
    assert never.problem["detail"] == "There is nothing here for you."
    assert endpoint.ask(client, ids).everything == never.everything
    assert stored() == before


@with_ids
def test_so_is_what_is_over(client: Rest, alice: User, endpoint: Endpoint) -> None:
    ids = belongings(alice)
    never = endpoint.ask(client, NEVER)
    ApiKey.objects.filter(pk=ids["key"]).revoke()
    SessionToken.objects.filter(pk=ids["token"]).update(expires_at=timezone.now())
    Session.objects.filter(pk=ids["session"]).end("over")
    Preference.objects.all().delete()
    assert endpoint.ask(client, ids).everything == never.everything


@with_ids
@pytest.mark.parametrize(
    "odd", ["0", "9" * 18, "9" * 30, "9" * 5000, "-1", "1.5", "x", "1%00", "%F0%9F%A6%89", "1;", "1'"]
)
def test_so_is_what_cannot_be(client: Rest, endpoint: Endpoint, odd: str) -> None:
    never = endpoint.ask(client, NEVER)
    answer = endpoint.ask(client, dict.fromkeys(NEVER, odd))
    assert (answer.status, answer.body) == (never.status, never.body)


def test_lists_hold_one_s_own_alone(client: Rest, bob: User) -> None:
    paths = ("keys/", "session-tokens/", "sessions/", "preferences/")

    def listed() -> list[Any]:
        rows = [client.get(path).data["results"] for path in paths]
        return [[row.get("id", row.get("key")) for row in found] for found in rows]

    before = listed()
    belongings(bob)
    assert listed() == before
    assert browser(bob).get("preferences/").data["results"][0]["key"] == "theme"


def test_setting_a_preference_that_another_has_sets_one_s_own(client: Rest, alice: User, bob: User) -> None:
    Preference.objects.put(bob.pk, "theme", "his")
    assert client.put("preferences/theme/", {"value": "mine"}).status == 200
    assert Preference.objects.of(bob.pk).as_dict() == {"theme": "his"}
    assert Preference.objects.of(alice.pk).as_dict() == {"theme": "mine"}


def test_a_cursor_of_another_s_list_shows_nothing_of_it(alice: User, bob: User) -> None:
    for user in (alice, bob):
        for number in range(3):
            ApiKey.mint(user, f"{user}-{number}")
    cursor = Rest(key_for(bob)).get("keys/?limit=2").data["next"]
    listed = Rest(key_for(alice)).get(f"keys/?cursor={cursor}").data["results"]
    assert {row["name"].partition("-")[0] for row in listed} <= {"alice"}
