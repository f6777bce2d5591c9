"""The tools in the control room: what they are, what was called lately, and switching them."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app.hours import HOUR, this_hour
from sessions_app.models import User
from sessions_app.pool import identity_pool
from tests.control_room import ControlRoom, list_of, make_staff, make_superuser, page_of
from tests.wire import Wire
from tools_app.apps import make_policies
from tools_app.models import ToolPolicy
from tools_app.models.hour import HourOfName
from tools_app.registry import registry

from .decisions import off, on

pytestmark = pytest.mark.pages


@pytest.fixture
def policies(db_for_threads: None) -> dict[str, ToolPolicy]:
    """One of each tool, and one of a tool that is gone."""
    make_policies()
    ToolPolicy.objects.create(tool="a tool of last year")
    return ToolPolicy.objects.in_bulk()


@pytest.fixture
def operator(policies: Any) -> User:
    return make_superuser()


@pytest.fixture
def viewer(policies: Any) -> User:
    return make_staff("viewer", may="^view_toolpolicy$")


@pytest.fixture(params=["operator", "viewer"])
def room(request: pytest.FixtureRequest) -> ControlRoom:
    return ControlRoom(request.getfixturevalue(request.param))


def row_of(page: str, tool: str) -> str:
    """That of the list, up to the next one's."""
    return page.split(f"/{tool}/change/")[1].split("/change/")[0]


# --- The list -----------------------------------------------------------------------------------------


def test_the_list_says_what_there_is(room: ControlRoom) -> None:
    off("echo")()
    HourOfName.objects.create(hour=this_hour(), kind="tool", name="rationed", ok=1995, error=5, within_50=2000)
    HourOfName.objects.create(hour=this_hour() - 23 * HOUR, kind="tool", name="rationed", ok=7, within_50=7)
    HourOfName.objects.create(hour=this_hour() - 24 * HOUR, kind="tool", name="rationed", ok=8, within_50=8)
    HourOfName.objects.create(hour=this_hour(), kind="prompt", name="rationed", ok=9, within_50=9)
    page = room.read(list_of(ToolPolicy), q="ratio")
    for text in ("3/h", "30 s", "2,007", ">5<", "48 ms", "tools_app.call_rationed", "writes", "and guests"):
        assert text in row_of(page, "rationed"), text
    page = room.read(list_of(ToolPolicy), q="echo")
    assert "off" in row_of(page, "echo")
    assert "read-only" in row_of(page, "echo")
    assert "destructive" in row_of(room.read(list_of(ToolPolicy), q="close-shop"), "close-shop")
    assert "User Profile" in room.read(list_of(ToolPolicy), q="get-user-profile")
    assert "There is no such tool any more" in room.read(list_of(ToolPolicy), q="last year")


@pytest.mark.parametrize(
    ("state", "shown"),
    [("on", {"order"}), ("off", {"echo"}), ("gone", {"a tool of last year"}), ("x", {"order", "echo"})],
)
def test_it_is_narrowed_to_a_state(operator: User, state: str, shown: set[str]) -> None:
    off("echo")()
    ToolPolicy.objects.exclude(tool__in=["echo", "order", "a tool of last year"]).delete()
    page = ControlRoom(operator).read(list_of(ToolPolicy), state=state)
    names = {"echo", "order", "a tool of last year"}
    assert {name for name in names if name in page} >= shown
    assert state == "x" or {name for name in names if f">{name}<" in page} == shown


@pytest.mark.parametrize("asked", ["a\0b", "%", "'", "x" * 5000])
def test_any_search_is_answered(room: ControlRoom, asked: str) -> None:
    assert room.get(list_of(ToolPolicy), q=asked).status_code in (200, 302, 400)


def queries_for(room: ControlRoom, path: str) -> int:
    room.get(path)
    with CaptureQueriesContext(connection) as queries:
        room.read(path)
    return len(queries)


def test_however_many_tools_there_are_it_takes_a_few_queries(room: ControlRoom) -> None:
    many = queries_for(room, list_of(ToolPolicy))
    ToolPolicy.objects.exclude(tool="echo").delete()
    assert queries_for(room, list_of(ToolPolicy)) == many <= 13


def test_a_page_takes_few_queries(room: ControlRoom, policies: dict[str, ToolPolicy]) -> None:
    assert queries_for(room, page_of(policies["get-user-profile"])) <= 17


# --- The page -----------------------------------------------------------------------------------------


def test_a_page_opens_for_every_tool(room: ControlRoom, policies: dict[str, ToolPolicy]) -> None:
    for policy in policies.values():
        room.read(page_of(policy))


def test_a_page_says_what_the_tool_is(room: ControlRoom, policies: dict[str, ToolPolicy]) -> None:
    HourOfName.objects.create(hour=this_hour(), kind="tool", name="order", ok=3, refused=1, within_5=3)
    page = room.read(page_of(policies["order"]))
    for text in (
        "Find an order.",
        "Can call order",
        "tools_app.call_order",
        "&quot;required&quot;",
        "OK: 3, Refused: 1",
    ):
        assert text in page, text
    page = room.read(page_of(policies["close-shop"]))
    assert "It is not this tool&#x27;s alone" in page or "It is not this tool's alone" in page


def test_links_lead_only_where_one_may_look(operator: User, viewer: User, policies: dict[str, ToolPolicy]) -> None:
    members = page_of(Group.objects.get(name="Members"))
    record = "/admin/tools_app/toolcall/?kind=tool&amp;tool=order"
    page = ControlRoom(operator).read(page_of(policies["order"]))
    assert members in page
    assert record in page
    page = ControlRoom(viewer).read(page_of(policies["order"]))
    assert "Members" in page
    assert members not in page
    assert record not in page


def test_a_name_that_an_address_has_to_spell_otherwise_leads_to_its_page(operator: User) -> None:
    ToolPolicy.objects.create(tool="get_address/of:_5F")
    room = ControlRoom(operator)
    ((path,),) = [re.findall(r'href="([^"?]*/change/)', room.read(list_of(ToolPolicy), q="get_address"))]
    assert "get_address/of:_5F. There is no such tool any more." in room.read(path)


# --- Switching ----------------------------------------------------------------------------------------


def test_switching_off_asks_first_and_says_what_will_happen(
    operator: User, policies: dict[str, ToolPolicy]
) -> None:
    room = ControlRoom(operator)
    asked = room.post(list_of(ToolPolicy), action="switch_off", _selected_action=["echo", "order"])
    assert "Nobody sees them or can call them from the next call on." in asked.text
    assert "Calls in flight go on." in asked.text
    assert ToolPolicy.decisions() == {}
    room.act("switch_off", policies["echo"], policies["order"])
    assert ToolPolicy.decisions().keys() == {"echo", "order"}
    assert {(entry.object_id, entry.change_message) for entry in LogEntry.objects.all()} == {
        ("echo", "Switched off."),
        ("order", "Switched off."),
    }


def test_switching_on_does_not_ask_and_notes_only_what_it_changed(
    operator: User, policies: dict[str, ToolPolicy]
) -> None:
    off("echo")()
    room = ControlRoom(operator)
    room.post(list_of(ToolPolicy), action="switch_on", _selected_action=["echo", "order", "a tool of last year"])
    assert ToolPolicy.decisions() == {}
    assert LogEntry.objects.get().object_id == "echo"
    page = room.read(list_of(ToolPolicy))
    assert "Switched on: 1. So before: 1." in page
    assert "Left alone: 1 of tools that are gone." in page


@pytest.mark.parametrize("way", ["action", "form"])
async def test_it_counts_from_the_next_call_on(operator: User, wire: Wire, way: str) -> None:
    async def listed() -> bool:
        return "echo" in {tool["name"] for tool in (await wire.ask("tools/list")).result["tools"]}

    def switch_off() -> None:
        room, echo = ControlRoom(operator), ToolPolicy.objects.get(tool="echo")
        room.act("switch_off", echo) if way == "action" else room.post(page_of(echo), rate="")

    assert await listed()
    await identity_pool.run(switch_off)
    assert not await listed()
    assert (await wire.call("echo", {"text": "x"})).error["code"] == -32602
    await identity_pool.run(on("echo"))
    assert await listed()


def test_every_tool_has_its_row(policies: dict[str, ToolPolicy]) -> None:
    assert set(policies) == {*registry.tools, "a tool of last year"}
