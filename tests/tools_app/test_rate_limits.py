"""How often callers may call, over both revisions: what is refused did nothing, and says when to come back."""

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from sessions_app import limits
from sessions_app.limits import Limit
from sessions_app.models import Session, User, credential
from sessions_app.permissions import ADMINISTRATORS
from sessions_app.pool import identity_pool
from sessions_app.state import state
from tests.clients import Client
from tests.conftest import wire_for
from tests.shop import tools as shop
from tests.socket import SocketWire
from tests.wire import Answer, Durable, Wire, until
from tools_app.models import ToolCall, ToolPolicy

SENTENCE = "Rate limit exceeded. Remaining requests: 0. Please try again later."


def times(client: Client, number: int, tool: str) -> Awaitable[list[Answer]]:
    return asyncio.gather(*(client.call(tool) for _ in range(number)))


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


async def test_a_tool_may_be_called_as_often_as_its_limit_says(client: Client, recorded: Any) -> None:
    shop.finished.clear()
    answers = await times(client, 5, "rationed")
    assert statuses(answers) == [200] * 3 + [429] * 2
    assert shop.finished == ["rationed for alice"] * 3
    await recorded()
    assert await ToolCall.objects.acount() == 3


async def test_a_refusal_says_which_limit_and_when_to_come_back(client: Client) -> None:
    await times(client, 3, "rationed")
    refused = await client.call("rationed")
    error, seconds = refused.error, ceil(refused.error["data"]["retryAfterMs"] / 1000)
    assert (refused.status, error["code"]) == (429, -32029)
    assert error["message"].startswith(SENTENCE)
    assert error["message"].endswith(f"(rationed: 3/h; one more in {seconds} s)")
    assert (error["data"]["limit"], error["data"]["rate"], error["data"]["remaining"]) == ("rationed", "3/h", 0)
    assert 3599 <= seconds <= 3600
    if not isinstance(client, SocketWire):
        assert refused.headers["retry-after"] == str(seconds)
        assert refused.headers["ratelimit"] == f'"rationed";r=0;t={seconds}'
        assert refused.headers["ratelimit-policy"] == '"rationed";q=3;w=3600'


async def test_all_that_a_user_comes_with_counts_together(client: Client, alice: User, bob: User) -> None:
    """Another key, another session, another era, another client: the same bucket."""
    others = [await wire_for(alice), Wire(client.key, {"name": "another", "version": "1"})]
    await times(client, 2, "rationed")
    assert statuses([await other.call("rationed") for other in others]) == [200, 429]
    durable = await Durable.open(others[0].key)
    assert (await durable.call("rationed")).status == 429
    assert (await (await wire_for(bob)).call("rationed")).status == 200


async def test_each_key_has_a_limit_of_its_own(alice: User) -> None:
    slow = await wire_for(alice, rate="2/h")
    assert statuses([await slow.call("echo", {"text": "x"}) for _ in range(3)]) == [200, 200, 429]
    assert (await slow.call("echo", {"text": "x"})).error["data"]["limit"] == "api-key"
    assert (await (await wire_for(alice)).call("echo", {"text": "x"})).status == 200


async def test_a_user_has_one_over_all_keys(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential, "CALLS", Limit("calls", 3, 60))
    wires = [await wire_for(alice) for _ in range(4)]
    answers = [await wire.call("echo", {"text": "x"}) for wire in wires]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].error["data"]["limit"] == "calls"


async def test_a_refused_call_opens_no_session(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential, "CALLS", Limit("calls", 1, 60))
    wire = await wire_for(alice)
    assert (await wire.ask("tools/list")).status == 200
    assert (await Wire(wire.key, {"name": "new", "version": "1"}).ask("tools/list")).status == 429
    assert (await Durable(wire.key).initialize()).status == 429
    assert await Session.objects.acount() == 1


async def test_replies_and_notifications_are_not_counted(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong to what was counted: who may ask no more may still answer, cancel and end."""
    monkeypatch.setattr(credential, "CALLS", Limit("calls", 2, 60))
    durable = await Durable.open((await wire_for(alice)).key)
    call = durable.begin("ask", {"text": "Tea"})
    question = await call.asked()
    assert (await durable.ask("ping")).status == 429
    assert (await durable.notify("notifications/initialized")).status == 202
    assert (await durable.accept(question["id"], sure=True)).status == 202
    assert (await call.wait()).text == "Tea: yes"
    assert (await durable.delete()).status == 204


async def test_a_hidden_tool_s_limit_tells_nothing(client: Client) -> None:
    answers = [await client.call(name) for name in ["rationed-restock"] * 3 + ["no-such-tool"]]
    assert len({(answer.status, answer.error["code"]) for answer in answers}) == 1
    assert (await state.usage([]), await state.operations("user:1")) == ([], [])


async def test_a_tool_that_came_into_sight_is_counted_from_its_first_call(client: Client, alice: User) -> None:
    assert (await client.call("rationed-restock")).error["code"] == -32602
    await identity_pool.run(lambda: alice.groups.add(Group.objects.get(name=ADMINISTRATORS)))
    assert [(await client.call("rationed-restock")).status for _ in range(2)] == [200, 429]


async def test_operators_change_a_tool_s_limit_at_once(client: Client) -> None:
    def set_rate(tool: str, rate: str) -> Callable[[], Any]:
        return lambda: ToolPolicy.objects.update_or_create(tool=tool, defaults={"rate": rate})

    await times(client, 3, "rationed")
    assert (await client.call("rationed")).status == 429
    await identity_pool.run(set_rate("rationed", "6/h"))
    assert statuses([await client.call("rationed") for _ in range(4)]) == [200, 200, 200, 429]
    await identity_pool.run(set_rate("echo", "1/h"))  # of one that its developer did not limit
    assert [(await client.call("echo", {"text": "x"})).status for _ in range(2)] == [200, 429]
    await identity_pool.run(lambda: ToolPolicy.objects.all().delete())
    assert (await client.call("echo", {"text": "x"})).status == 200


async def test_too_many_at_once_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_AT_ONCE", 2)
    first, second = (asyncio.ensure_future(client.call("wait", {"seconds": 0.2})) for _ in range(2))
    await until(lambda: len(running()) == 2)
    refused = await client.call("echo", {"text": "x"})
    assert (refused.status, refused.error["code"]) == (429, -32029)
    assert refused.error["data"]["retryAfterMs"] == 1000
    assert "at once" in refused.error["message"]
    await asyncio.gather(first, second)
    assert (await client.call("echo", {"text": "x"})).status == 200
    assert running() == {}


def running() -> dict[str, Any]:
    everything: dict[str, Any] = {}
    for operations in state._running.values():  # type: ignore[attr-defined]
        everything |= operations
    return everything


async def test_what_runs_is_noted_by_its_name_and_session(client: Client, alice: User) -> None:
    call = asyncio.ensure_future(client.call("wait", {"seconds": 0.2}))
    await until(running)
    (operation,) = await state.operations(f"user:{alice.pk}")
    assert operation.name == "wait"
    await call
    session = await Session.objects.aget()
    assert operation.session == session.operations_name
    assert (operation.session == session.public_id) == (not isinstance(client, Wire))
    assert len(operation.digest) == 32


async def test_whoever_leaves_or_is_refused_frees_his_place(wire: Wire, alice: User) -> None:
    call = wire.open(wire.request("tools/call", {"name": "wait", "arguments": {"seconds": 5}}))
    await until(running)
    call.leave()
    await call.wait()
    await wire.ask("no/such/method")
    await wire.call("crash")
    assert running() == {}


async def test_a_name_of_any_kind_is_noted_harmlessly(client: Client, alice: User) -> None:
    for name in ("a\nb", "x" * 5000, "\x1b[31m", 7, None, ["a"], {"b": 1}):
        params = {"name": name, "arguments": {}}
        assert (await client.ask("tools/call", params)).status in (200, 400)
    assert running() == {}


async def test_permission_rows_are_not_touched_by_limits(client: Client) -> None:
    assert await Permission.objects.filter(codename="call_rationed").acount() == 1
