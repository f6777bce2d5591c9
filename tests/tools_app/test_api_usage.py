"""What one called lately, and what is left of each limit, over REST."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.api import throttle
from sessions_app.limits import Limit
from sessions_app.models import ApiKey, User
from tests.conftest import key_for
from tests.rest import Rest, browser
from tests.wire import Wire
from tools_app.models import ToolCall, ToolPolicy

HOUR = timedelta(hours=1)


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def call(user: User, name: str = "echo", at: datetime | None = None, **details: Any) -> None:
    usual = {"outcome": "ok", "username": str(user), "credential": "api-key:999999", "duration_ms": 2.5}
    ToolCall.objects.create(name=name, user_id=user.pk, started_at=at or timezone.now(), **{**usual, **details})


def limits(client: Rest) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(row["limit"], row["tool"]): row for row in client.get("usage/").data["limits"]}


def test_calls_are_summed_by_hour_and_name_the_newest_first(alice: User) -> None:
    now = this_hour()
    for outcome in ("ok", "error", "timeout", "refused"):
        call(alice, at=now + timedelta(minutes=0), outcome=outcome)
    call(alice, "wait", at=now)
    call(alice, at=now - timedelta(seconds=1))
    found = browser(alice).get("usage/").data["results"]
    assert [(row["name"], row["calls"], row["errors"], row["total_ms"]) for row in found] == [
        ("echo", 4, 2, 10.0), ("wait", 1, 0, 2.5), ("echo", 1, 0, 2.5),
    ]  # fmt: skip
    assert [datetime.fromisoformat(row["hour"]) for row in found] == [now, now, now - HOUR]


def test_they_go_back_a_day(alice: User) -> None:
    call(alice, "oldest", at=this_hour() - 23 * HOUR)
    call(alice, "too old", at=this_hour() - 23 * HOUR - timedelta(seconds=1))
    assert [row["name"] for row in browser(alice).get("usage/").data["results"]] == ["oldest"]


def test_they_are_one_s_own(alice: User, bob: User) -> None:
    call(bob, "bob's")
    assert browser(alice).get("usage/").data["results"] == []


def test_a_narrowed_credential_sees_its_own_alone(alice: User) -> None:
    key, token = ApiKey.mint(alice, "narrow", scopes=[])
    call(alice, "by another")
    call(alice, "by itself", credential=key.credential)
    assert [row["name"] for row in Rest(token.value).get("usage/").data["results"]] == ["by itself"]


def test_they_come_in_pages(alice: User) -> None:
    for hour in range(4):
        for name in ("a", "b", "c"):
            call(alice, name, at=this_hour() - hour * HOUR)
    client = browser(alice)
    whole = client.get("usage/").data["results"]
    for limit in (1, 2, 5, 11, 12):
        seen: list[Any] = []
        cursor = ""
        while True:
            page = client.get(f"usage/?limit={limit}{cursor}").data
            seen += page["results"]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == whole
    assert len(whole) == 12


def test_a_call_of_a_moment_ago_counts(alice: User, recorded: Any) -> None:
    secret = key_for(alice)

    async def work() -> None:
        await Wire(secret).call("echo", {"text": "x"})
        await recorded()

    asyncio.run(work())
    (row,) = Rest(secret).get("usage/").data["results"]
    assert (row["name"], row["calls"], row["errors"]) == ("echo", 1, 0)


# --- What is left ---


def test_each_limit_that_counts_the_caller_says_what_is_left(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "API", Limit("api", 9, 60))
    client = Rest(key_for(alice, rate="20/h"))
    first = limits(client)
    client.get("keys/")
    second = limits(client)
    assert first["api-key", None] | {"resets_after": 0} == {
        "limit": "api-key", "tool": None, "rate": "20/h", "remaining": 20, "resets_after": 0,
    }  # fmt: skip
    assert (first["api", None]["remaining"], second["api", None]["remaining"]) == (8, 6)
    # It tells when the others are used up, too, and so is not counted by them.
    assert second["calls", None]["remaining"] == first["calls", None]["remaining"] - 1
    assert 3590 < second["api-key", None]["resets_after"] <= 3600


def test_of_tools_those_that_he_may_use(alice: User, admin: User) -> None:
    assert limits(browser(alice))["rationed", "rationed"]["remaining"] == 3
    names = {tool for _, tool in limits(browser(alice))}
    assert "rationed-restock" not in names
    assert "rationed-restock" in {tool for _, tool in limits(browser(admin))}


def test_calls_at_mcp_use_up_what_is_said_here(alice: User) -> None:
    secret = key_for(alice)
    asyncio.run(Wire(secret).call("rationed"))
    row = limits(Rest(secret))["rationed", "rationed"]
    assert (row["remaining"], row["rate"]) == (2, "3/h")
    assert 3590 < row["resets_after"] <= 3600


def test_what_operators_decided_counts(alice: User) -> None:
    ToolPolicy.objects.create(tool="rationed", rate="7/m")
    ToolPolicy.objects.create(tool="echo", rate="5/d")
    found = limits(browser(alice))
    assert found["rationed", "rationed"]["rate"] == "7/m"
    assert (found["tool-echo", "echo"]["rate"], found["tool-echo", "echo"]["remaining"]) == ("5/d", 5)
