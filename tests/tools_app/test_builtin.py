"""The seed's get-user-profile and manage-preferences, as a client sees them."""

import asyncio
import json
from typing import Any

import pytest

from sessions_app.models import Preference, User
from sessions_app.models.preference import LARGEST_VALUE, LONGEST_KEY, MOST_KEYS
from sessions_app.pool import identity_pool
from tests.conftest import wire_for
from tests.sessions_app.test_guests import GuestWire
from tests.wire import Wire


async def prefer(wire: Wire, action: str, **arguments: Any) -> str:
    answer = await wire.call("manage-preferences", {"action": action, **arguments})
    return ("! " if answer.result["isError"] else "") + answer.text


async def test_the_profile_says_who_is_calling(wire: Wire, alice: User) -> None:
    answer = await wire.call("get-user-profile")
    profile = answer.result["structuredContent"]
    session = await alice.mcp_sessions.aget()
    assert profile["userId"] == str(alice.pk)
    assert (profile["username"], profile["email"], profile["role"]) == ("alice", "alice@example.com", "Members")
    assert profile["label"] == "alice's key"
    assert "tools_app.call_get-user-profile" in profile["permissions"]
    assert profile["loginTime"] == session.opened_at.isoformat().replace("+00:00", "Z")
    assert answer.text.startswith("## 👤 User Profile\n\n**User ID:** ")
    assert "**Additional Details:**\n- Email: alice@example.com\n" in answer.text


async def test_the_profile_shows_narrowed_permissions(alice: User, recorded: Any) -> None:
    wire = await wire_for(alice, scopes=["tools_app.call_get-user-profile"])
    profile = (await wire.call("get-user-profile")).result["structuredContent"]
    assert profile["permissions"] == ["tools_app.call_get-user-profile"]


async def test_a_preference_is_set_read_and_deleted(wire: Wire) -> None:
    assert await prefer(wire, "set", key="theme", value="dark") == "Preference 'theme' updated"
    assert await prefer(wire, "get", key="theme") == "Preference 'theme': \"dark\""
    assert await prefer(wire, "get") == '## ⚙️ User Preferences\n\n```json\n{\n  "theme": "dark"\n}\n```'
    assert await prefer(wire, "delete", key="theme") == "Preference 'theme' deleted"
    assert await prefer(wire, "get", key="theme") == "! Preference 'theme' not found"
    assert await prefer(wire, "delete", key="theme") == "! Preference 'theme' not found"


@pytest.mark.parametrize("value", [None, "null", "[1,2]", [1, {"a": None}], 0.1, -0.0, False, "", 2**53 - 1, "🫖"])
async def test_any_json_value_is_kept_as_it_is(wire: Wire, value: Any) -> None:
    await prefer(wire, "set", key="k", value=value)
    answer = await wire.call("manage-preferences", {"action": "get", "key": "k"})
    kept = answer.result["structuredContent"]["preferences"]["k"]
    assert (type(kept), kept) == (type(value), value)


async def test_what_is_missing_is_said(wire: Wire) -> None:
    assert await prefer(wire, "set", value=1) == "! Key required for setting preference"
    assert await prefer(wire, "set", key="k") == "! Value required for setting preference"
    assert await prefer(wire, "delete") == "! Key required for deleting preference"
    assert (await prefer(wire, "invent")).startswith("! Invalid arguments for manage-preferences: action: ")


async def test_preferences_are_each_user_s_own(wire: Wire, bob: User) -> None:
    await prefer(wire, "set", key="k", value="alice's")
    other = await wire_for(bob)
    assert await prefer(other, "get", key="k") == "! Preference 'k' not found"
    await prefer(other, "set", key="k", value="bob's")
    assert await prefer(wire, "get", key="k") == "Preference 'k': \"alice's\""


async def test_concurrent_sets_lose_nothing(wire: Wire, alice: User) -> None:
    await asyncio.gather(*(prefer(wire, "set", key=f"k{number}", value=number) for number in range(30)))
    stored = await identity_pool.run(lambda: Preference.objects.of(alice.pk).as_dict())
    assert stored == {f"k{number}": number for number in range(30)}


async def test_sizes_are_bounded(wire: Wire) -> None:
    assert (await prefer(wire, "set", key="k" * LONGEST_KEY, value=1)).endswith("updated")
    assert (await prefer(wire, "set", key="k" * (LONGEST_KEY + 1), value=1)).startswith("! A preference's key has")
    assert (await prefer(wire, "set", key="k", value="v" * (LARGEST_VALUE - 2))).endswith("updated")
    assert (await prefer(wire, "set", key="k", value="v" * (LARGEST_VALUE - 1))).startswith(
        "! A preference's value"
    )


async def test_the_number_of_keys_is_bounded(wire: Wire, alice: User) -> None:
    rows = [Preference(user=alice, key=f"k{number}", value=1) for number in range(MOST_KEYS - 1)]
    await Preference.objects.abulk_create(rows)
    outcomes = await asyncio.gather(*(prefer(wire, "set", key=f"new{number}", value=1) for number in range(3)))
    assert sorted(outcome[0] for outcome in outcomes) == ["!", "!", "P"]
    assert await prefer(wire, "set", key="k0", value=2) == "Preference 'k0' updated"
    assert await alice.preferences.acount() == MOST_KEYS


async def test_what_all_preferences_have_together_is_bounded(wire: Wire) -> None:
    for number in range(15):
        assert (await prefer(wire, "set", key=f"k{number}", value="v" * (LARGEST_VALUE - 2))).endswith("updated")
    assert (await prefer(wire, "set", key="k15", value="v" * (LARGEST_VALUE - 2))).endswith("updated")
    assert (await prefer(wire, "set", key="k16", value=1)).startswith("! A user's preferences have at most")
    assert (await prefer(wire, "set", key="k15", value="shorter")).endswith("updated")
    assert (await prefer(wire, "set", key="k16", value=1)).endswith("updated")


@pytest.mark.parametrize("text", ["1e22", "-0.0", '{"b":1,"a":2}', "1e-7"])
async def test_a_value_keeps_its_text(wire: Wire, text: str) -> None:
    await prefer(wire, "set", key="k", value=json.loads(text))
    answer = await wire.call("manage-preferences", {"action": "get", "key": "k"})
    kept = answer.result["structuredContent"]["preferences"]["k"]
    assert json.dumps(kept) == json.dumps(json.loads(text))


async def test_a_tool_may_ask_for_its_caller_s_preferences(wire: Wire, alice: User, bob: User) -> None:
    for user, drink in ((alice, "tea"), (bob, "coffee")):
        await Preference.objects.acreate(user=user, key="drink", value=drink)
    assert (await wire.call("preferred")).result["structuredContent"] == {
        "drink": "tea",
        "known": ["drink"],
        "many": 1,
    }
    guest = await GuestWire(None).call("preferred")
    assert guest.result["structuredContent"] == {"drink": "water", "known": [], "many": 0}
