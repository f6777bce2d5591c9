"""Superusers say on a tool's page which groups may call it. Nobody else does."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from sessions_app.models import User
from sessions_app.permissions import ADMINISTRATORS, GUESTS, MEMBERS
from sessions_app.pool import identity_pool
from tests.control_room import ControlRoom, filled_in, make_staff, make_superuser, page_of
from tests.wire import Wire
from tools_app.apps import make_policies
from tools_app.models import ToolPolicy

pytestmark = pytest.mark.pages


@pytest.fixture
def restock(db_for_threads: None) -> ToolPolicy:
    make_policies()
    return ToolPolicy.objects.get(tool="restock")


@pytest.fixture
def room(restock: ToolPolicy) -> ControlRoom:
    return ControlRoom(make_superuser())


def pk(name: str) -> str:
    return str(Group.objects.get(name=name).pk)


def having(codename: str = "call_restock") -> set[str]:
    return set(Group.objects.filter(permissions__codename=codename).values_list("name", flat=True))


def messages_of(model: type[Any]) -> set[tuple[str, str]]:
    kind = ContentType.objects.get_for_model(model)
    return set(LogEntry.objects.filter(content_type=kind).values_list("object_repr", "change_message"))


def test_it_is_given_and_taken_and_noted_in_both_histories(room: ControlRoom, restock: ToolPolicy) -> None:
    assert room.save(restock, groups=[pk(MEMBERS)]).status_code == 302
    assert having() == {MEMBERS}
    on_page = "tools_app.call_restock, on the page of the tool restock."
    assert messages_of(Group) == {(MEMBERS, f"Given: {on_page}"), (ADMINISTRATORS, f"Taken away: {on_page}")}
    assert messages_of(ToolPolicy) == {("restock", f"Given to: {MEMBERS}. Taken from: {ADMINISTRATORS}.")}


def test_what_is_sent_unchanged_changes_nothing(room: ControlRoom, restock: ToolPolicy) -> None:
    room.save(restock, rate="9/h")
    assert having() == {ADMINISTRATORS}
    assert messages_of(Group) == set()


def test_it_can_be_taken_from_all(room: ControlRoom, restock: ToolPolicy) -> None:
    room.save(restock, groups=[])
    assert having() == set()


def test_an_old_page_does_not_give_back_what_was_taken_meanwhile(room: ControlRoom, restock: ToolPolicy) -> None:
    form = filled_in(room.read(page_of(restock)))
    permission = Permission.objects.get(codename="call_restock")
    Group.objects.get(name=ADMINISTRATORS).permissions.remove(permission)
    Group.objects.get(name=MEMBERS).permissions.add(permission)
    assert room.post(page_of(restock), **{**form, "rate": "9/h"}).status_code == 302
    assert having() == {MEMBERS}


@pytest.mark.parametrize("groups", [["0"], ["x"], ["1\0"], ["9" * 30]])
def test_a_group_that_there_is_not_is_refused(room: ControlRoom, restock: ToolPolicy, groups: list[str]) -> None:
    assert room.save(restock, groups=groups).status_code == 200
    assert having() == {ADMINISTRATORS}


def test_other_staff_see_them_and_cannot_change_them(restock: ToolPolicy) -> None:
    room = ControlRoom(make_staff("keeper", may="toolpolicy$|_group$|permission$"))
    page = room.read(page_of(restock))
    assert ADMINISTRATORS in page
    assert "initial-groups" not in page
    assert room.save(restock, rate="9/h", groups=[pk(GUESTS)]).status_code == 302
    assert ToolPolicy.objects.get(tool="restock").rate == "9/h"
    assert having() == {ADMINISTRATORS}


def test_another_s_permission_is_said_to_be_more_than_the_tool(room: ControlRoom) -> None:
    close = ToolPolicy.objects.get(tool="close-shop")
    assert "it gives more than the tool" in room.read(page_of(close))
    room.save(close, groups=[pk(ADMINISTRATORS)])
    assert ADMINISTRATORS in having("delete_user")


async def test_it_counts_from_the_next_call_on(restock: ToolPolicy, alice: User, wire: Wire) -> None:
    assert (await wire.call("restock")).error["code"] == -32602
    room = await identity_pool.run(lambda: ControlRoom(make_superuser()))
    await identity_pool.run(lambda: room.save(restock, groups=[pk(MEMBERS)]))
    assert (await wire.call("restock")).text == "restocked"
    await identity_pool.run(lambda: room.save(restock, groups=[]))
    assert (await wire.call("restock")).error["code"] == -32602
