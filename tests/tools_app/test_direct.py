"""A call from within takes the same way as any: what works, what is refused, and what is left in the rows."""

import asyncio
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from mcp.shared.exceptions import MCPError

from sessions_app import credentials
from sessions_app.credentials import command
from sessions_app.exceptions import Unauthenticated
from sessions_app.limits import Limit
from sessions_app.models import Preference, Session, User
from sessions_app.pool import identity_pool
from sessions_app.state import state
from tests.conftest import wire_for
from tests.shop import tools as shop
from tests.wire import Wire
from tools_app.direct import Insider, Result
from tools_app.models import ToolCall, ToolPolicy
from tools_app.testing import acall_tool, call_tool


def outcome(tool: str) -> str:
    return ToolCall.objects.get(name=tool).outcome


def test_it_returns_what_the_tool_returned(alice: User) -> None:
    result = call_tool(alice, "order", number=7)
    assert not result.is_error
    assert result.text == "**Order 7**: tea"
    assert result.structured == {"number": 7, "item": "tea"}
    assert result.raw["content"] == result.content == [{"type": "text", "text": "**Order 7**: tea"}]


def test_arguments_may_have_any_name(alice: User) -> None:
    assert call_tool(alice, "wait", seconds=0, name="user").text == "waited"


def test_content_may_be_more_than_text(alice: User) -> None:
    result = call_tool(alice, "linked")
    assert [block["type"] for block in result.content] == ["resource_link", "text"]
    assert (result.text, result.structured) == ("x", {"a": [1]})


@pytest.mark.parametrize("tool", ["count", "count-in-thread"])
def test_it_keeps_what_was_told(alice: User, tool: str) -> None:
    told = call_tool(alice, tool, to=3).told
    assert [note["params"]["progress"] for note in told] == [1, 2, 3]


@pytest.mark.filterwarnings("ignore:The logging capability")
def test_it_hears_every_log_message(alice: User) -> None:
    levels = [note["params"]["level"] for note in call_tool(alice, "chatter").told]
    assert (levels[0], levels[-1], len(levels)) == ("debug", "emergency", 8)


def test_the_record_has_it_and_points_at_a_session(alice: User) -> None:
    call_tool(alice, "echo", text="x")
    call_tool(alice, "manage-preferences", action="set", key="a", value=1)
    session = Session.objects.get()
    assert (session.user, session.client_name, session.credential) == (alice, "tests", f"command:{alice.pk}")
    assert (session.calls, session.errors) == (2, 0)
    for call in ToolCall.objects.all():
        assert (call.outcome, call.user_id, call.session_id) == ("ok", alice.pk, session.pk)
        assert (call.credential, call.client_name, call.ip) == (f"command:{alice.pk}", "tests", None)
    assert ToolCall.objects.count() == 2


def test_a_hidden_tool_answers_as_an_unknown_one_does(alice: User) -> None:
    for tool in ("restock", "resto"):
        with pytest.raises(MCPError, match=f"^Unknown tool: {tool}$") as raised:
            call_tool(alice, tool)
        assert (raised.value.code, raised.value.data) == (-32602, None)
        assert outcome(tool) == "refused"


def test_what_the_user_may_do_is_what_the_database_says_now(alice: User, admin: User) -> None:
    assert call_tool(admin, "restock").text == "restocked"
    User.groups.through.objects.filter(user=admin).delete()  # no signal, and no server hears of it
    with pytest.raises(MCPError, match="Unknown tool"):
        call_tool(admin, "restock")


@pytest.mark.parametrize("arguments", [{}, {"number": "5", "tags": []}, {"number": 5, "tags": [], "unknown": 1}])
def test_bad_arguments_are_an_error_result(alice: User, arguments: dict[str, Any]) -> None:
    result = call_tool(alice, "typed", **arguments)
    assert result.is_error
    assert result.text.startswith("Invalid arguments for typed: ")
    assert outcome("typed") == "invalid"


def test_what_json_has_no_words_for_is_not_sent(alice: User) -> None:
    with pytest.raises(MCPError, match="NUL"):
        call_tool(alice, "echo", text="\0")
    with pytest.raises(TypeError):
        call_tool(alice, "echo", text=object())
    assert not ToolCall.objects.exists()


def test_a_foreseen_failure_is_an_error_result_and_rolled_back(alice: User) -> None:
    result = call_tool(alice, "refuse")
    assert (result.is_error, result.text) == (True, "Out of tea")
    assert not Preference.objects.exists()
    assert outcome("refuse") == "error"


def test_a_crash_shows_only_its_id(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    result = call_tool(alice, "crash")
    call = ToolCall.objects.get()
    assert result.text == f"crash failed unexpectedly. Error id: {call.error_id}"
    assert shop.SECRET not in str(result)
    assert shop.SECRET in caplog.text
    assert call.outcome == "crashed"


@pytest.mark.parametrize(("tool", "arguments"), [("brief", {}), ("slow-write", {"seconds": 0.4})])
def test_a_tool_that_takes_too_long_is_stopped(alice: User, tool: str, arguments: dict[str, Any]) -> None:
    result = call_tool(alice, tool, **arguments)
    assert result.is_error
    assert result.text.startswith("Stopped after 0.")
    assert outcome(tool) == "timeout"
    assert not Preference.objects.exists()


def test_a_tool_s_limit_counts_it(alice: User) -> None:
    for _ in range(3):
        call_tool(alice, "rationed")
    with pytest.raises(MCPError, match="Rate limit exceeded") as raised:
        call_tool(alice, "rationed")
    assert (raised.value.code, raised.value.data["limit"]) == (-32029, "rationed")
    assert ToolCall.objects.count() == 3


def test_an_operator_s_rate_counts_it(alice: User) -> None:
    ToolPolicy.objects.bulk_create([ToolPolicy(tool="echo", rate="1/h")])
    call_tool(alice, "echo", text="x")
    with pytest.raises(MCPError, match="1/h"):
        call_tool(alice, "echo", text="x")


async def test_it_counts_together_with_what_the_user_sends(
    wire: Wire, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions_app.models.credential.CALLS", limit := Limit("calls", 2, 60))
    monkeypatch.setattr(command, "CALLS", limit)
    await wire.call("echo", {"text": "x"})
    await acall_tool(alice, "echo", text="x")
    with pytest.raises(MCPError, match="Rate limit exceeded"):
        await acall_tool(alice, "echo", text="x")
    assert (await wire.call("echo", {"text": "x"})).status == 429


def test_an_inactive_user_is_refused(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(MCPError, match="No committed row has an active user"):
        call_tool(alice, "echo", text="x")
    assert not Session.objects.exists()
    assert not ToolCall.objects.exists()


def test_nobody_can_be_asked(alice: User) -> None:
    with pytest.raises(MCPError, match="did not declare"):
        call_tool(alice, "ask", text="Tea")


def test_rows_that_tools_cannot_see_are_a_mistake_of_the_test(alice: User) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="TransactionTestCase"):
        call_tool(alice, "echo", text="x")


async def test_an_async_test_has_to_await_it(alice: User) -> None:
    with pytest.raises(RuntimeError, match="await acall_tool"):
        call_tool(alice, "echo", text="x")
    results = await asyncio.gather(*(acall_tool(alice, "echo", text=f"{number}") for number in range(5)))
    assert [result.text for result in results] == ["0", "1", "2", "3", "4"]
    assert await Session.objects.acount() == 1


async def test_a_call_that_lasts_stands_while_its_user_does(alice: User, recorded: Any) -> None:
    assert (await Insider.of(alice, "tests").call("wait", {"seconds": 0.7})).text == "waited"


async def held(user: User) -> "asyncio.Task[Result]":
    """A call that has told its first progress, and goes on for seconds."""
    has_begun = asyncio.Event()
    insider = Insider.of(user, "tests")
    call = asyncio.create_task(insider.call("hold", {}, lambda told: has_begun.set()))
    await has_begun.wait()
    return call


async def test_a_call_ends_with_its_session(alice: User, recorded: Any) -> None:
    call = await held(alice)
    await Session.objects.aupdate(ended_at=timezone.now())  # in another process, which tells nobody
    with pytest.raises(MCPError, match="Session not found"):
        await call
    await recorded()
    assert (await ToolCall.objects.aget()).outcome == "cancelled"


async def test_a_call_ends_with_its_user_s_account(alice: User, recorded: Any) -> None:
    call = await held(alice)
    await User.objects.filter(pk=alice.pk).aupdate(is_active=False)
    with pytest.raises(MCPError, match="not valid"):
        await call
    assert await state.operations(f"user:{alice.pk}") == []


async def test_no_wire_leads_there(alice: User, wire: Wire) -> None:
    """Its identity is no secret that could be shown, and its session is nobody else's."""
    await acall_tool(alice, "echo", text="x")
    for shown in (f"command:{alice.pk}", f"cgk_command:{alice.pk}"):
        assert (await Wire(shown, {"name": "tests", "version": "1"}).call("echo", {"text": "x"})).status == 401
        with pytest.raises(Unauthenticated):
            await identity_pool.run(partial(credentials.identify, shown))
    assert not hasattr(command, "authenticate")
    await (await wire_for(alice)).call("echo", {"text": "x"})
    assert await Session.objects.acount() == 2
