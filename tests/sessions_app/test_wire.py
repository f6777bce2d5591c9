"""MCP over HTTP at 2026-07-28: one POST, one answer, and what closing the stream means."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mcp.shared.subscriptions import ResourceUpdated, ToolsListChanged
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from sessions_app import credentials
from sessions_app.models import ApiKey, Session, User
from sessions_app.pool import identity_pool
from sessions_app.transport import carrier, ends, exchange
from sessions_app.transport.bus import bus
from sessions_app.transport.http_carrier import STILL_HERE
from tests.conftest import wire_for
from tests.shop import tools as shop
from tests.wire import Wire
from tools_app.models import ToolCall

pytestmark = pytest.mark.alike

LISTEN = {
    "notifications": {
        "toolsListChanged": True,
        "resourceSubscriptions": ["shop://menu", "shop://ledger", "shop://none"],
    }
}


async def test_discover_says_what_is_served(wire: Wire) -> None:
    result = (await wire.ask("server/discover")).result
    assert result["supportedVersions"] == ["2026-07-28"]
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "concierge"


async def test_it_streams_once_something_is_sent_before_the_result(wire: Wire) -> None:
    message = wire.request("tools/call", {"name": "count", "arguments": {"to": 2}}, progressToken="p1")
    answer = await wire.post(message)
    assert answer.is_stream
    *progress, last = answer.messages
    assert [note["params"] for note in progress] == [
        {"progressToken": "p1", "progress": 1, "total": 2, "message": "at 1"},
        {"progressToken": "p1", "progress": 2, "total": 2, "message": "at 2"},
    ]
    assert last["result"]["structuredContent"] == {"result": "counted to 2"}


async def test_a_pool_thread_may_report_progress_too(wire: Wire) -> None:
    message = wire.request("tools/call", {"name": "count-in-thread", "arguments": {"to": 3}}, progressToken=7)
    answer = await wire.post(message)
    assert [note["params"]["progress"] for note in answer.messages[:-1]] == [1, 2, 3]


async def test_without_a_token_nothing_is_reported(wire: Wire) -> None:
    assert not (await wire.call("count", {"to": 2})).is_stream


async def test_a_client_that_takes_no_stream_gets_one_document(wire: Wire) -> None:
    message = wire.request("tools/call", {"name": "count", "arguments": {"to": 2}}, progressToken="p1")
    answer = await wire.post(message, headers={"accept": "application/json"})
    assert answer.result["structuredContent"] == {"result": "counted to 2"}


async def test_closing_the_stream_cancels_the_call(wire: Wire, recorded: Any) -> None:
    shop.finished.clear()
    call = wire.open(wire.request("tools/call", {"name": "wait", "arguments": {"seconds": 1}}))
    call.leave()
    answer = await call.wait()
    assert (answer.status, answer.body) == (0, b"")
    assert shop.finished == []
    await recorded()
    assert (await ToolCall.objects.aget(name="wait")).outcome == "cancelled"


async def test_leaving_while_a_tool_writes_rolls_it_back(wire: Wire, alice: User) -> None:
    shop.slow_write_left.clear()
    call = wire.open(wire.request("tools/call", {"name": "slow-write", "arguments": {"seconds": 0.15}}))
    call.leave()
    await call.wait()
    await asyncio.to_thread(shop.slow_write_left.wait, 5)
    await wire.call("manage-preferences", {"action": "set", "key": "after", "value": 1})
    assert await alice.preferences.filter(key="slow").acount() == 0


async def test_a_quiet_call_is_kept_alive(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "KEEP_ALIVE_EVERY", 0.1)
    answer = await wire.call("wait", {"seconds": 0.4})
    assert answer.is_stream
    assert answer.body.startswith(STILL_HERE)
    assert answer.text == "waited"


async def test_a_client_that_stops_reading_is_cut_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.1)
    message = wire.request("tools/call", {"name": "count", "arguments": {"to": 5}}, progressToken="p1")
    call = wire.open(message, reads=2)
    answer = await call.wait()
    assert [note["params"]["progress"] for note in answer.messages] == [1, 2]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"mcp-method": None}, -32020),
        ({"mcp-method": "tools/list"}, -32020),
        ({"mcp-method": "Tools/Call"}, -32020),
        ({"mcp-name": None}, -32020),
        ({"mcp-name": "other"}, -32020),
        ({"mcp-name": "=?base64?ZWNobw?="}, -32020),
        ({"mcp-protocol-version": None}, -32020),
        ({"mcp-protocol-version": "2026-07-29"}, -32022),
        ({"mcp-protocol-version": "2025-11-25"}, -32022),
    ],
)
async def test_headers_must_agree_with_the_body(
    wire: Wire, headers: dict[str, str | None], code: int, recorded: Any
) -> None:
    answer = await wire.call("echo", {"text": "x"}, headers=headers)
    assert (answer.status, answer.error["code"]) == (400, code)
    assert answer.messages[0]["id"] == 1
    await recorded()
    assert not await ToolCall.objects.aexists()


async def test_a_name_may_travel_in_base64(wire: Wire) -> None:
    answer = await wire.call("echo", {"text": "x"}, headers={"mcp-name": "=?base64?ZWNobw==?="})
    assert answer.text == "x"


@pytest.mark.parametrize(
    ("arguments", "header", "is_fine"),
    [
        ({"region": "north"}, "north", True),
        ({"region": "é"}, "=?base64?w6k=?=", True),
        ({"region": "north"}, "south", False),
        ({"region": "north"}, None, False),
        ({"region": "north"}, "=?base64?bm9ydGg?=", False),
        ({}, "north", False),
    ],
)
async def test_mirrored_arguments_must_agree(
    wire: Wire, arguments: dict[str, str], header: str | None, is_fine: bool, recorded: Any
) -> None:
    answer = await wire.call("by-region", arguments, headers={"mcp-param-region": header})
    if is_fine:
        assert answer.text == arguments["region"]
    else:
        assert (answer.status, answer.error["code"]) == (400, -32020)
    await recorded()
    assert (await ToolCall.objects.aget(name="by-region")).outcome == ("ok" if is_fine else "refused")


async def test_an_unknown_method_is_not_found(wire: Wire) -> None:
    answer = await wire.ask("tools/invent")
    assert (answer.status, answer.error["code"]) == (404, -32601)


async def test_a_notification_is_acknowledged_and_a_stranger_s_is_not(wire: Wire) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert (await wire.post(note)).status == 202
    assert (await Wire(None).post(note)).status == 401


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":null}}}',
        b'{"jsonrpc":"2.0","id":1,"Method":"tools/list"}',
        b'"tools/list"',
        b"null",
    ],
)
async def test_what_is_not_one_request_is_refused(wire: Wire, body: bytes) -> None:
    answer = await wire.post(body, headers={"mcp-method": "tools/list"})
    assert answer.status == 400
    assert answer.error["code"] in (-32600, -32602)


@pytest.mark.parametrize(
    "meta",
    [
        {CLIENT_INFO_META_KEY: {"name": 1}},
        {CLIENT_CAPABILITIES_META_KEY: []},
        {PROTOCOL_VERSION_META_KEY: None},
    ],
)
async def test_a_malformed_envelope_opens_no_session(wire: Wire, meta: dict[str, Any], alice: User) -> None:
    answer = await wire.post(wire.request("tools/list", None, **meta))
    assert (answer.status, answer.error["code"]) in ((400, -32602), (400, -32020))
    assert not await alice.mcp_sessions.aexists()


async def test_nothing_private_is_cached(wire: Wire) -> None:
    for answer in (
        await wire.ask("tools/list"),
        await wire.call("echo", {"text": "x"}),
        await Wire(None).call("x"),
    ):
        assert answer.headers["cache-control"].startswith("no-store")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "Authorization" in answer.headers["vary"]
    tools = (await wire.ask("tools/list")).result
    assert (tools["cacheScope"], tools["ttlMs"]) == ("private", 0)


# --- requestState ---------------------------------------------------------------------------------


async def asked(wire: Wire, text: str = "Tea") -> dict[str, Any]:
    wire.capabilities = {"elicitation": {"form": {}}}
    result = (await wire.call("ask", {"text": text})).result
    assert result["resultType"] == "input_required"
    return result


def reply(wire: Wire, question: dict[str, Any], **changed: Any) -> dict[str, Any]:
    (key,) = question["inputRequests"]
    params = {
        "name": "ask",
        "arguments": {"text": "Tea"},
        "inputResponses": {key: {"action": "accept", "content": {"sure": True}}},
        "requestState": question["requestState"],
    }
    return wire.request("tools/call", params | changed)


async def test_a_tool_may_ask_and_go_on(wire: Wire) -> None:
    assert (await wire.post(reply(wire, await asked(wire)))).text == "Tea: yes"


async def test_request_state_is_sealed_to_its_principal(wire: Wire, alice: User, bob: User) -> None:
    question = await asked(wire)
    for other in (await wire_for(bob), await wire_for(alice)):  # another user; another key of the same one
        other.capabilities = wire.capabilities
        answer = await other.post(reply(other, question))
        assert (answer.status, answer.error["code"]) == (400, -32602)


async def test_request_state_is_sealed_to_its_request(wire: Wire) -> None:
    answer = await wire.post(reply(wire, await asked(wire), arguments={"text": "Coffee"}))
    assert answer.error["message"] == "Invalid or expired requestState"


async def test_no_bit_of_request_state_may_change(wire: Wire) -> None:
    question = await asked(wire)
    state = question["requestState"]
    for position in range(3, len(state), 16):
        other = "A" if state[position] != "A" else "B"
        changed = state[:position] + other + state[position + 1 :]
        answer = await wire.post(reply(wire, question, requestState=changed))
        assert answer.error["code"] == -32602


async def test_request_state_is_sealed_under_keys_that_every_process_has(wire: Wire, settings: Any) -> None:
    from tools_app.request_state import request_state_security

    question = await asked(wire)
    request_state_security().codec.unseal(question["requestState"])
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key that was rotated in yesterday evening"
    request_state_security().codec.unseal(question["requestState"])


# --- subscriptions/listen -------------------------------------------------------------------------


async def test_a_listener_hears_what_it_asked_for_and_may_read(wire: Wire) -> None:
    stream = wire.open(wire.request("subscriptions/listen", LISTEN))
    await stream.wait_for("acknowledged")
    bus.publish(ResourceUpdated("shop://ledger"))
    bus.publish(ResourceUpdated("shop://menu"))
    bus.publish(ToolsListChanged())
    await stream.wait_for("tools/list_changed")
    acknowledged, updated, changed = stream.answer.messages
    assert acknowledged["params"]["notifications"] == {
        "toolsListChanged": True,
        "resourceSubscriptions": ["shop://menu"],
    }
    assert updated["params"]["uri"] == "shop://menu"
    assert changed["method"] == "notifications/tools/list_changed"
    stream.leave()
    await stream.wait()


async def test_a_listener_has_to_take_a_stream(wire: Wire) -> None:
    message = wire.request("subscriptions/listen", LISTEN)
    assert (await wire.post(message, headers={"accept": "application/json"})).status == 406


async def test_listeners_are_told_when_the_server_ends(wire: Wire) -> None:
    from project.asgi import end_streams

    stream = wire.open(wire.request("subscriptions/listen", LISTEN))
    await stream.wait_for("acknowledged")
    end_streams()
    assert (await stream.wait()).result["resultType"] == "complete"


async def test_listeners_hear_of_new_grants(wire: Wire, alice: User) -> None:
    bus.attach()
    stream = wire.open(wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}}))
    await stream.wait_for("acknowledged")
    await identity_pool.run(lambda: alice.groups.clear())
    await stream.wait_for("tools/list_changed")
    stream.leave()
    await stream.wait()


def revoke_key(user: User) -> None:
    ApiKey.objects.filter(user=user).revoke()


def take_permissions(user: User) -> None:
    user.groups.clear()


def end_session(user: User) -> None:
    Session.objects.filter(user=user).end("by admin")


def deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize("act", [revoke_key, take_permissions, end_session, deactivate])
async def test_a_listener_who_lost_his_authority_is_cut_off(
    wire: Wire, alice: User, monkeypatch: pytest.MonkeyPatch, act: Callable[[User], None]
) -> None:
    monkeypatch.setattr(ends, "SWEEP_EVERY", 0.1)
    stream = wire.open(wire.request("subscriptions/listen", LISTEN))
    await stream.wait_for("acknowledged")
    await identity_pool.run(lambda: act(alice))
    assert b'"result"' not in (await stream.wait()).body


async def test_a_stream_that_cannot_be_checked_does_not_go_on(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(identities: Any) -> None:
        raise RuntimeError("the check itself failed")

    monkeypatch.setattr(credentials, "current", broken)
    monkeypatch.setattr(ends, "SWEEP_EVERY", 0.1)
    stream = wire.open(wire.request("subscriptions/listen", LISTEN))
    assert b'"result"' not in (await stream.wait()).body


async def test_a_subscription_names_a_bounded_number_of_resources(wire: Wire) -> None:
    many = {"notifications": {"resourceSubscriptions": [f"shop://items/{n}" for n in range(1001)]}}
    answer = await wire.ask("subscriptions/listen", many)
    assert (answer.status, answer.error["code"]) == (400, -32602)


async def test_nothing_goes_on_beside_a_call_that_is_over(wire: Wire) -> None:
    before = asyncio.all_tasks()
    await wire.call("wait", {"seconds": 0.2})
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_a_slash_too_many_is_forgiven(wire: Wire) -> None:
    assert (await wire.call("echo", {"text": "x"}, path="/mcp/")).text == "x"


async def test_two_credentials_of_any_kind_are_refused(wire: Wire) -> None:
    for other in ("x-api-key", "x-session-token"):
        answer = await wire.call("echo", {"text": "x"}, headers={other: "anything"})
        assert answer.status == 400
