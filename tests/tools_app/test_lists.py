"""Listed if and only if callable; paged; private."""

from typing import Any

import pytest

from sessions_app.models import User
from tests.conftest import key_for, wire_for
from tests.wire import Wire
from tools_app import pages
from tools_app.registry import registry

LISTS = [
    ("tools/list", "tools", "name"),
    ("resources/list", "resources", "uri"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate"),
    ("prompts/list", "prompts", "name"),
]


async def listed(wire: Wire, method: str, key: str, name: str) -> list[str]:
    return [entry[name] for entry in (await wire.ask(method)).result[key]]


async def test_a_caller_sees_what_he_may_use(alice: User, admin: User, charlie: User, recorded: Any) -> None:
    members, administrators, outsiders = [await wire_for(user) for user in (alice, admin, charlie)]
    assert await listed(outsiders, *LISTS[0]) == []
    seen = await listed(members, *LISTS[0])
    assert seen == sorted(seen)
    assert {"echo", "get-user-profile", "manage-preferences"} <= set(seen)
    assert set(await listed(administrators, *LISTS[0])) - set(seen) == {
        "restock",
        "rationed-restock",
        "admin-operations",
    }
    assert set(await listed(administrators, *LISTS[1])) - set(await listed(members, *LISTS[1])) == {
        "shop://ledger"
    }
    assert set(await listed(administrators, *LISTS[3])) - set(await listed(members, *LISTS[3])) == {
        "audit",
        "incident-review",
    }


@pytest.mark.parametrize("who", ["alice", "admin", "charlie"])
async def test_listed_means_callable_and_hidden_means_unknown(
    who: str, alice: User, admin: User, charlie: User, recorded: Any
) -> None:
    wire = await wire_for({"alice": alice, "admin": admin, "charlie": charlie}[who])
    seen = set(await listed(wire, *LISTS[0]))
    for name in registry.tools:
        answer = await wire.call(name, {"no such argument": 1})
        is_known = "error" not in answer.messages[-1] or answer.error["code"] == -32020
        assert is_known == (name in seen), name
    seen = set(await listed(wire, *LISTS[3]))
    for name in registry.prompts:
        answer = await wire.ask(
            "prompts/get", {"name": name, "arguments": {"drink": "tea"} if name == "suggest" else {}}
        )
        assert ("result" in answer.messages[-1]) == (name in seen), name
    seen = set(await listed(wire, *LISTS[1]))
    for uri in ("shop://menu", "shop://ledger"):
        answer = await wire.ask("resources/read", {"uri": uri})
        assert ("result" in answer.messages[-1]) == (uri in seen), uri


async def test_scopes_narrow_the_list(alice: User, recorded: Any) -> None:
    wire = await wire_for(alice, scopes=["tools_app.call_echo", "tools_app.call_restock"])
    assert await listed(wire, *LISTS[0]) == ["echo"]


async def test_an_existing_permission_opens_a_tool(admin: User, recorded: Any) -> None:
    from asgiref.sync import sync_to_async
    from django.contrib.auth.models import Permission

    wire = await wire_for(admin)
    assert "close-shop" not in await listed(wire, *LISTS[0])
    permission = await Permission.objects.aget(codename="delete_user")
    await sync_to_async(admin.user_permissions.add)(permission)
    wire.key = await sync_to_async(key_for)(admin)
    assert "close-shop" in await listed(wire, *LISTS[0])


@pytest.mark.parametrize(("method", "key", "name"), LISTS)
async def test_lists_come_in_pages(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, method: str, key: str, name: str
) -> None:
    whole = await listed(wire, method, key, name)
    monkeypatch.setattr(pages, "PAGE", 1)
    found: list[str] = []
    params: dict[str, Any] = {}
    while True:
        result = (await wire.ask(method, params)).result
        found += [entry[name] for entry in result[key]]
        if "nextCursor" not in result:
            break
        params = {"cursor": result["nextCursor"]}
    assert found == whole


@pytest.mark.parametrize("cursor", ["", "%", "===", "w6k", "/w==", 5, "a" * 9000])
async def test_a_bad_cursor_is_refused(wire: Wire, cursor: Any) -> None:
    answer = await wire.ask("tools/list", {"cursor": cursor})
    if cursor == "":
        assert answer.status == 200  # the position before the first name
    else:
        assert (answer.status, answer.error["code"]) == (400, -32602)


async def test_what_is_listed_describes_itself(admin: User, recorded: Any) -> None:
    tools = (await (await wire_for(admin)).ask("tools/list")).result["tools"]
    by_name = {tool["name"]: tool for tool in tools}
    assert by_name["get-user-profile"]["title"] == "User Profile"
    assert by_name["get-user-profile"]["annotations"]["readOnlyHint"] is True
    assert by_name["manage-preferences"]["inputSchema"]["properties"]["action"]["enum"] == ["get", "set", "delete"]
    assert by_name["order"]["outputSchema"]["required"] == ["number", "item"]


# --- Resources, prompts, completions ---


async def test_resources_are_read(wire: Wire) -> None:
    (menu,) = (await wire.ask("resources/read", {"uri": "shop://menu"})).result["contents"]
    assert menu == {"uri": "shop://menu", "mimeType": "application/json", "text": '{"tea":3}'}
    (item,) = (await wire.ask("resources/read", {"uri": "shop://items/green%20tea"})).result["contents"]
    assert item["text"] == "green tea for alice"


async def test_bytes_are_a_blob(admin: User, recorded: Any) -> None:
    wire = await wire_for(admin)
    (ledger,) = (await wire.ask("resources/read", {"uri": "shop://ledger"})).result["contents"]
    assert ledger["blob"] == "AAE="


async def test_a_hidden_resource_answers_exactly_like_an_unknown_one(wire: Wire) -> None:
    hidden = await wire.ask("resources/read", {"uri": "shop://ledger"})
    unknown = await wire.ask("resources/read", {"uri": "shop://nought"})
    assert hidden.error["code"] == -32602
    assert hidden.error["data"] == {"uri": "shop://ledger"}
    assert hidden.body.replace(b"ledger", b"nought") == unknown.body


async def test_prompts_are_filled_in(wire: Wire) -> None:
    result = (await wire.ask("prompts/get", {"name": "suggest", "arguments": {"drink": "tea"}})).result
    assert result["messages"][0]["content"]["text"] == "Suggest something like tea for someone calm."


async def test_a_prompt_wants_its_arguments(wire: Wire) -> None:
    answer = await wire.ask("prompts/get", {"name": "suggest", "arguments": {}})
    assert (answer.status, answer.error["code"]) == (400, -32602)
    assert "drink" in answer.error["message"]


async def test_arguments_are_completed(wire: Wire) -> None:
    ref = {"type": "ref/prompt", "name": "suggest"}
    result = (
        await wire.ask("completion/complete", {"ref": ref, "argument": {"name": "drink", "value": "t"}})
    ).result
    assert result["completion"]["values"] == ["tea", "tonic"]
    result = (
        await wire.ask("completion/complete", {"ref": ref, "argument": {"name": "mood", "value": ""}})
    ).result
    assert result["completion"]["values"] == []


async def test_nothing_hidden_is_completed(wire: Wire) -> None:
    answer = await wire.ask(
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "audit"}, "argument": {"name": "x", "value": ""}},
    )
    assert (answer.status, answer.error["code"]) == (400, -32602)


async def test_a_template_that_is_hidden_does_not_hide_what_is_open(wire: Wire, admin: User) -> None:
    uri = "shop://items/today/secret"
    assert uri in await listed(wire, *LISTS[1])
    assert (await wire.ask("resources/read", {"uri": uri})).result["contents"][0]["text"] == "cake"
    other = await wire.ask("resources/read", {"uri": "shop://items/tea/secret"})
    assert other.error["code"] == -32602
    by_admin = await (await wire_for(admin)).ask("resources/read", {"uri": "shop://items/tea/secret"})
    assert by_admin.result["contents"][0]["text"] == "tea"
