"""What operators switch off is unknown from the next call on, in both revisions and on both wires."""

import asyncio
import threading
from typing import Any

import pytest
from django.apps import apps
from mcp.shared.exceptions import MCPError

from sessions_app.models import User
from sessions_app.pool import identity_pool
from sessions_app.state import state
from tests.clients import CLIENTS, Client
from tests.conftest import wire_for
from tests.shop import tools as shop
from tests.socket import SocketWire
from tests.wire import Answer, Wire, until
from tools_app.apps import make_policies
from tools_app.models import ToolCall, ToolPolicy
from tools_app.policies import policies
from tools_app.registry import registry
from tools_app.testing import call_tool
from tools_app.usage import tool_limits

from .decisions import behind_our_back, off, on


async def tools_of(client: Client) -> set[str]:
    return {tool["name"] for tool in (await client.ask("tools/list")).result["tools"]}


def but_for(answer: Answer, name: str) -> tuple[int, str]:
    """All of it, with the request's own id and the name that was asked for taken out."""
    message = {key: value for key, value in answer.messages[-1].items() if key != "id"}
    return answer.status, str(message).replace(name, "NAME")


# --- Off is unknown ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["echo", "ask", "by-region", "rationed"])
async def test_a_tool_that_is_off_is_unknown_from_the_next_call_on(client: Client, tool: str) -> None:
    """By the short way and by the kernel's, with arguments in headers and with a limit of its own."""
    assert tool in await tools_of(client)
    await identity_pool.run(off(tool))
    answer, unknown = await client.call(tool), await client.call("no-such-tool")
    assert answer.error["code"] == -32602
    assert but_for(answer, tool) == but_for(unknown, "no-such-tool")
    assert tool not in await tools_of(client)
    await identity_pool.run(on(tool))
    assert "error" not in (await client.call(tool)).messages[-1] or tool == "by-region"
    assert tool in await tools_of(client)


async def test_it_is_so_whatever_arguments_it_is_called_with(client: Client) -> None:
    await identity_pool.run(off("echo"))
    for arguments in ({}, {"text": "x"}, {"text": 1, "more": [None]}):
        answers = [await client.call(name, arguments) for name in ("echo", "no-such-tool")]
        assert but_for(answers[0], "echo") == but_for(answers[1], "no-such-tool")


async def test_administrators_do_not_know_it_either(admin: User, recorded: Any) -> None:
    wire = await wire_for(admin)
    assert (await wire.call("restock")).text == "restocked"
    await identity_pool.run(off("restock"))
    assert (await wire.call("restock")).error["code"] == -32602
    assert "restock" not in await tools_of(wire)


async def test_its_limit_tells_nothing_and_counts_nothing(client: Client) -> None:
    for _ in range(3):
        assert (await client.call("rationed")).status == 200
    assert (await client.call("rationed")).status == 429
    await identity_pool.run(off("rationed"))
    assert {(await client.call("rationed")).error["code"] for _ in range(2)} == {-32602}
    await identity_pool.run(on("rationed"))
    assert (await client.call("rationed")).status == 429  # and it is no way around its limit


async def test_the_record_has_it_as_what_was_refused(client: Client, recorded: Any) -> None:
    await identity_pool.run(off("echo"))
    await client.call("echo", {"text": "x"})
    await recorded()
    call = await ToolCall.objects.aget()
    assert (call.kind, call.name, call.outcome, call.username) == ("tool", "echo", "refused", "alice")


def test_a_call_from_within_does_not_know_it(alice: User) -> None:
    off("echo")()
    with pytest.raises(MCPError, match=r"^Unknown tool: echo$"):
        call_tool(alice, "echo", text="x")


async def test_nor_do_resources_that_list_tools(wire: Wire, alice: User) -> None:
    async def listed() -> str:
        return str((await wire.ask("resources/read", {"uri": "concierge://server/tools"})).result)

    assert "'echo'" in (await listed()).replace('"', "'")
    await identity_pool.run(off("echo"))
    assert "'echo'" not in (await listed()).replace('"', "'")


def test_what_is_left_of_its_limit_is_not_told(alice: User) -> None:
    from sessions_app.credentials import command

    def limited() -> set[str]:
        return {tool for _, tool in tool_limits(command.principal(alice))}

    assert "rationed" in limited()
    off("rationed")()  # and nobody calls, so that no process has looked
    assert "rationed" not in limited()


@pytest.mark.parametrize("era", CLIENTS)
async def test_sql_counts_within_a_second(era: str, wire: Wire) -> None:
    assert wire.key
    client = await CLIENTS[era](wire.key)
    assert (await client.call("echo", {"text": "x"})).text == "x"
    await identity_pool.run(behind_our_back("echo"))
    async with asyncio.timeout(1.5):
        while "error" not in (await client.call("echo", {"text": "x"})).messages[-1]:
            await client.ask("ping")
    if isinstance(client, SocketWire):
        await client.leave()


async def test_calls_in_flight_go_on(client: Client) -> None:
    shop.finished.clear()
    call = asyncio.ensure_future(client.call("wait", {"seconds": 0.7}))
    await until(lambda: any(state._running.values()))  # type: ignore[attr-defined]  # of memory
    await asyncio.sleep(0.1)  # it is past the gate
    await identity_pool.run(off("wait"))
    assert (await client.call("wait", {"seconds": 0})).error["code"] == -32602
    assert (await call).text == "waited"  # some sweeps later
    assert shop.finished == ["wait"]


async def test_prompts_and_resources_of_that_name_are_not_meant(wire: Wire) -> None:
    await identity_pool.run(off("suggest"))
    await identity_pool.run(off("menu"))
    assert "result" in (await wire.ask("resources/read", {"uri": "shop://menu"})).messages[-1]
    arguments = {"name": "suggest", "arguments": {"drink": "tea"}}
    assert "result" in (await wire.ask("prompts/get", arguments)).messages[-1]


async def test_what_was_read_before_a_change_does_not_undo_it(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that was let in before is the last to have read the database."""
    await identity_pool.run(on("echo"))
    read, may_return = ToolPolicy.decisions, threading.Event()

    def slowly() -> Any:
        found = read()
        may_return.wait(5)
        return found

    monkeypatch.setattr(ToolPolicy, "decisions", slowly)
    early = asyncio.ensure_future(policies.refresh(("before", "")))
    await asyncio.sleep(0.05)  # it has read, and is not back yet
    monkeypatch.setattr(ToolPolicy, "decisions", read)
    await identity_pool.run(off("echo"))
    assert await policies.refresh(("after", ""))
    assert policies.off == {"echo"}
    may_return.set()
    await early
    assert policies.off == {"echo"}


# --- The rows ---------------------------------------------------------------------------------------


def test_migrate_makes_a_row_for_each_tool_that_has_none(db_for_threads: None) -> None:
    off("echo")()
    ToolPolicy.objects.create(tool="a tool of last year")
    for _ in range(2):
        make_policies(using="default", verbosity=0)
    assert set(ToolPolicy.objects.values_list("tool", flat=True)) == {*registry.tools, "a tool of last year"}
    assert ToolPolicy.decisions().keys() == {"echo"}  # all others say nothing, and are not read


def test_migrating_to_before_there_were_any_is_no_failure(db_for_threads: None) -> None:
    class Earlier:
        def get_model(self, *name: str) -> Any:
            raise LookupError(name)

    make_policies(apps=Earlier())  # type: ignore[arg-type]  # as far as it goes
    assert not ToolPolicy.objects.exists()
    make_policies(apps=apps)
    assert ToolPolicy.objects.exists()


async def test_a_call_reads_only_what_operators_decided(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    await identity_pool.run(make_policies)
    read, found = ToolPolicy.decisions, []

    def noted() -> Any:
        found.append(read())
        return found[-1]

    monkeypatch.setattr(ToolPolicy, "decisions", noted)
    for _ in range(5):
        await wire.call("echo", {"text": "x"})
    assert found in ([{}], [{}, {}])  # once a second
