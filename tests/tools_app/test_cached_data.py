"""The seed's cached-data-fetch: real figures, fresh or cached, for who may see them."""

import asyncio
import json
import time
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache

from sessions_app.models import ApiKey, User
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool
from tests.clients import Client
from tests.conftest import wire_for
from tests.wire import Wire
from tools_app.builtin import data

NAME = "cached-data-fetch"
TYPES = ("reports", "analytics", "metrics", "logs")


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    cache.clear()


async def fetch(client: Client, data_type: str, **arguments: Any) -> dict[str, Any]:
    result = (await client.call(NAME, {"dataType": data_type, **arguments})).result
    assert not result["isError"], result
    structured: dict[str, Any] = result["structuredContent"]
    return structured


@pytest.mark.parametrize("data_type", TYPES)
async def test_the_first_is_fresh_and_the_next_is_cached(wire: Wire, data_type: str) -> None:
    first, second = await fetch(wire, data_type), await fetch(wire, data_type)
    assert (first["source"], second["source"]) == ("fresh", "cached")
    assert first["data"] == second["data"]
    assert second["ageSeconds"] >= first["ageSeconds"]


async def test_the_text_says_so_too(client: Client) -> None:
    first = await client.call(NAME, {"dataType": "reports"})
    assert first.text.startswith("## 📊 reports (Fresh)\n\n```json\n{")
    second = await client.call(NAME, {"dataType": "reports"})
    assert second.text.startswith("## 📊 reports (Cached)\n\n")
    assert (
        json.loads(second.text.partition("```json\n")[2].removesuffix("\n```"))
        == second.result["structuredContent"]["data"]
    )


async def test_without_the_cache_nothing_is_taken_and_nothing_kept(wire: Wire) -> None:
    for _ in range(2):
        assert (await fetch(wire, "logs", useCache=False))["source"] == "fresh"
    assert (await fetch(wire, "logs"))["source"] == "fresh"
    assert (await fetch(wire, "logs", useCache=False))["source"] == "fresh"
    assert (await fetch(wire, "logs"))["source"] == "cached"


async def test_refreshing_gathers_anew_and_keeps_that(wire: Wire) -> None:
    before = await fetch(wire, "logs")
    await wire.call("echo", {"text": "new"})
    assert (await fetch(wire, "logs"))["data"] == before["data"]
    renewed = await fetch(wire, "logs", refreshCache=True)
    assert renewed["source"] == "fresh"
    assert "echo" in {row["name"] for row in renewed["data"]["latest"]}
    assert (await fetch(wire, "logs"))["data"] == renewed["data"]


async def test_it_is_kept_for_ten_minutes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    await fetch(wire, "logs")
    now = time.time()
    monkeypatch.setattr("sessions_app.session_cache.time.time", lambda: now + 590)
    assert (await fetch(wire, "logs"))["source"] == "cached"
    monkeypatch.setattr("sessions_app.session_cache.time.time", lambda: now + 601)
    assert (await fetch(wire, "logs"))["source"] == "fresh"


async def test_of_many_who_miss_it_at_once_one_gathers_it(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = []

    def slowly(principal: Any) -> dict[str, Any]:
        gathered.append(principal)
        time.sleep(0.1)
        return {}

    monkeypatch.setitem(data.SOURCES, "reports", slowly)
    found = await asyncio.gather(*(fetch(wire, "reports") for _ in range(10)))
    assert len(gathered) == 1
    assert [answer["source"] for answer in found].count("fresh") == 1


async def test_it_is_about_the_caller_and_nobody_else(wire: Wire, bob: User, recorded: Any) -> None:
    others = await wire_for(bob)
    await others.call("echo", {"text": "canary-bob"})
    await others.call("bobs-own-mistake")
    await wire.call("order", {"number": 1})
    for data_type in TYPES:
        found = json.dumps(await fetch(wire, data_type, refreshCache=True))
        assert "bobs-own-mistake" not in found
        assert "canary-bob" not in found
    report = (await fetch(wire, "reports", refreshCache=True))["data"]
    assert report["calls"] == sum(row["calls"] for row in report["tools"]) > 0
    assert "order" in {row["name"] for row in report["tools"]}


async def test_a_narrowed_key_sees_what_was_called_with_it(wire: Wire, alice: User, recorded: Any) -> None:
    await wire.call("order", {"number": 1})
    narrowed = await wire_for(alice, scopes=[f"tools_app.call_{NAME}"])
    assert "order" not in json.dumps((await fetch(narrowed, "logs"))["data"])
    assert {row["label"] for row in (await fetch(narrowed, "reports"))["data"]["liveSessions"]} == {"alice's key"}
    assert len((await fetch(narrowed, "reports"))["data"]["liveSessions"]) == 1


async def test_the_server_s_figures_are_for_administrators(wire: Wire, admin: User, recorded: Any) -> None:
    own = (await fetch(wire, "metrics"))["data"]
    assert own["server"] is None
    assert {limit["limit"] for limit in own["limits"]} >= {"calls", "operation"}
    everything = (await fetch(await wire_for(admin), "metrics"))["data"]
    assert everything["server"]["totalSessions"] == 2


async def test_who_lost_the_right_does_not_get_them_from_the_cache(admin: User, recorded: Any) -> None:
    wire = await wire_for(admin)
    assert (await fetch(wire, "metrics"))["data"]["server"] is not None

    def withdraw() -> None:
        Group.objects.get(name=ADMINISTRATORS).permissions.remove(Permission.objects.get(codename="admin"))

    await identity_pool.run(withdraw)
    assert (await fetch(wire, "metrics"))["data"]["server"] is None


async def test_a_key_that_was_narrowed_does_not_get_from_the_cache_what_it_saw_before(
    wire: Wire, alice: User, recorded: Any
) -> None:
    other = await wire_for(alice)
    await other.call("order", {"number": 1})
    assert "order" in json.dumps((await fetch(wire, "logs"))["data"])
    key = await ApiKey.objects.filter(user=alice).order_by("pk").afirst()
    assert key is not None
    key.scopes = [f"tools_app.call_{NAME}"]
    await key.asave()
    assert "order" not in json.dumps((await fetch(wire, "logs"))["data"])


async def test_an_unknown_type_is_refused(wire: Wire) -> None:
    result = (await wire.call(NAME, {"dataType": "secrets"})).result
    assert result["isError"]
    assert "'reports', 'analytics', 'metrics' or 'logs'" in result["content"][0]["text"]
