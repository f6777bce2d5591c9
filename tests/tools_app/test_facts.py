"""What operators are told of tools: what each does, who may call it, and what was decided."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test.utils import CaptureQueriesContext

from sessions_app.models import User
from sessions_app.permissions import ADMINISTRATORS, EVERYONE, GUESTS, MEMBERS
from tests.conftest import make_user
from tools_app import facts as facts_module
from tools_app.facts import ToolFacts, facts_of
from tools_app.registry import registry

from .decisions import decide, off


def facts(name: str) -> ToolFacts:
    (found,) = facts_of([registry.tools[name]])
    return found


def test_they_say_what_a_tool_does(db_for_threads: None) -> None:
    order = facts("order")
    assert (order.name, order.title, order.description) == ("order", "", "Find an order.")
    assert order.input_schema["required"] == ["number"]
    assert order.output_schema is not None
    assert order.output_schema["required"] == ["number", "item"]
    assert (order.is_read_only, order.is_destructive) == (True, False)
    assert (facts("close-shop").is_read_only, facts("close-shop").is_destructive) == (False, True)
    assert facts("get-user-profile").title == "User Profile"


def test_they_say_who_has_its_permission(db_for_threads: None) -> None:
    assert facts("restock").permission == "tools_app.call_restock"
    assert facts("restock").permission_name == "Can call restock"
    assert facts("restock").groups == (ADMINISTRATORS,)
    assert facts("echo").groups == tuple(sorted(EVERYONE))
    assert facts("close-shop").permission == "sessions_app.delete_user"
    Group.objects.get(name=MEMBERS).permissions.remove(Permission.objects.get(codename="call_echo"))
    assert facts("echo").groups == tuple(sorted({*EVERYONE} - {MEMBERS}))


@pytest.mark.parametrize("are_let_in", [True, False])
def test_they_say_whether_guests_may(db_for_threads: None, settings: Any, are_let_in: bool) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"guests": are_let_in})
    assert facts("echo").is_for_guests == are_let_in
    assert not facts("restock").is_for_guests
    Group.objects.get(name=GUESTS).permissions.clear()
    assert not facts("echo").is_for_guests


def test_they_count_who_may_call_it_each_once(alice: User, bob: User, charlie: User, admin: User) -> None:
    alice.groups.add(Group.objects.get(name=ADMINISTRATORS))
    for user in (alice, charlie):
        user.user_permissions.add(Permission.objects.get(codename="call_restock"))
    make_user("gone", ADMINISTRATORS)
    User.objects.filter(username="gone").update(is_active=False)
    User.objects.create_superuser("root", "root@example.com", "correct horse")
    assert facts("restock").callers == 4  # alice, charlie, admin, root
    assert facts("echo").callers == 4  # alice, bob, admin, root
    assert facts("close-shop").callers == 1


def test_they_count_as_calls_are_judged(alice: User, bob: User, charlie: User, admin: User) -> None:
    charlie.user_permissions.add(Permission.objects.get(codename="delete_user"))
    users = [*User.objects.all()]
    granted = User.permission_names_of(users)
    for found in facts_of(registry.tools.values()):
        may = sum(found.permission in granted[user.pk] for user in users)
        assert (found.callers, found.has_more_callers) == (may, False), found.name


def test_a_permission_that_has_no_row_is_nobody_s(db_for_threads: None, admin: User) -> None:
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    row = Permission.objects.filter(pk=Permission.objects.get(codename="call_restock").pk)
    row.update(codename="call_nothing")
    try:
        assert (facts("restock").permission_name, facts("restock").groups, facts("restock").callers) == ("", (), 0)
        assert facts("echo").callers == 1
    finally:
        row.update(codename="call_restock")


def test_they_say_when_there_are_more_users_than_were_counted(
    alice: User, bob: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts_module, "MOST_COUNTED", 3)
    assert (facts("echo").callers, facts("echo").has_more_callers) == (3, False)
    monkeypatch.setattr(facts_module, "MOST_COUNTED", 2)
    assert facts("echo").has_more_callers


def test_they_say_what_was_decided_and_what_its_developer_wrote(db_for_threads: None) -> None:
    rationed = facts("rationed")
    assert (rationed.is_on, rationed.limit, rationed.developers_limit) == (True, "3/h", "3/h")
    assert (rationed.timeout, rationed.developers_timeout) == (30, 30)
    off("rationed")()
    decide("rationed", rate="9/m", timeout=60)()
    rationed = facts("rationed")
    assert (rationed.is_on, rationed.limit, rationed.developers_limit) == (False, "9/m", "3/h")
    assert (rationed.timeout, rationed.developers_timeout) == (60, 30)
    assert (facts("echo").limit, facts("echo").developers_limit) == ("", "")
    decide("echo", rate="1/d")()
    assert (facts("echo").limit, facts("echo").developers_limit) == ("1/d", "")


def test_all_tools_together_take_a_few_queries(alice: User, admin: User, reads: CaptureQueriesContext) -> None:
    alice.user_permissions.add(Permission.objects.get(codename="call_restock"))
    with reads:
        assert [found.name for found in facts_of(registry.tools.values())] == list(registry.tools)
    assert len(reads) == 5
    with reads:
        assert facts_of([]) == []


@pytest.fixture
def reads(db_for_threads: None) -> CaptureQueriesContext:
    from django.db import connection

    return CaptureQueriesContext(connection)
