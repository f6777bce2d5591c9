"""Every action of the control room: posted, with its question answered, by those who may not run it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ActionLocation
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session as SignIn
from django.db.models import Model
from django.test import Client, RequestFactory

from sessions_app.models import ApiKey, User
from tests.belongings import Belongings, everything_of
from tests.control_room import SELECTED, list_of, make_staff, make_superuser, page_of
from tests.doors import House, house, undone
from tools_app.models import ToolPolicy

pytestmark = pytest.mark.pages

ANSWERED = {"confirmed": "yes", "post": "yes", "reason": "because", "choice": "1"}
SEEN_BY_ROTATE = {"seen": "0"}
DONE_ALREADY = "switch_on"
"""As a tool begins."""
OF_NOBODY = (Group, ToolPolicy)
"""What is nobody's is not kept from those who may change less than its owner."""


@dataclass(frozen=True)
class Action:
    model: type[Model]
    name: str
    location: ActionLocation

    def post(self, client: Client, rows: Belongings) -> Any:
        row, is_list = rows[self.model], self.location is ActionLocation.CHANGE_LIST
        field = "action" if is_list else "CHANGE_FORM-action"
        seen = SEEN_BY_ROTATE if self.name == "rotate" else {}
        path = list_of(self.model) if is_list else page_of(row)
        return client.post(path, {field: self.name, SELECTED: str(row.pk), **ANSWERED, **seen})


@pytest.fixture(scope="module")
def home(django_db_setup: None, django_db_blocker: Any) -> Iterator[House]:
    with django_db_blocker.unblock(), house() as furnished:
        furnished.visitors.sign_in(make_staff("changer", may=""))  # all that bob may, and more
        furnished.rows[ApiKey], _ = ApiKey.mint(furnished.rows[User], "not rotated yet")
        forget_what_was_done()
        yield furnished


def forget_what_was_done() -> None:
    """Else it would keep those who did it from being deleted, whoever asks."""
    LogEntry.objects.update(user=User.objects.get(username="operator"))


@pytest.fixture(scope="module")
def actions(home: House) -> list[Action]:
    """All that a superuser is offered."""
    request: Any = RequestFactory().get("/")
    request.user = User.objects.get(username="operator")
    return [
        Action(model, name, location)
        for model, page in admin.site._registry.items()
        for location in ActionLocation
        for name in page.get_actions(request, action_location=location)
    ]


def stored() -> dict[str, Any]:
    """Every row of every table, but for who is signed in."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_models(include_auto_created=True)
        if model is not SignIn
    }


def changed_by(home: House, name: str, action: Action, rows: Belongings) -> list[str]:
    """The tables in which something is otherwise afterwards."""
    client, before = home.visitors.client(name, list_of(action.model)[1:]), stored()
    with undone(client):
        action.post(client, rows)
        after = stored()
    return [label for label, kept in before.items() if after[label] != kept]


def test_there_are_as_many_actions_as_are_asked_for(actions: list[Action]) -> None:
    names = {action.name for action in actions}
    assert names >= {
        "delete_selected",
        "revoke",
        "rotate",
        "end",
        "end_and_revoke",
        "deactivate",
        "remove",
        "close",
    }
    assert len(actions) >= 24


def test_a_superuser_gets_what_he_asks_for(home: House, actions: list[Action]) -> None:
    """So that the rest of these tests ask for what there is."""
    idle = [action.name for action in actions if not changed_by(home, "operator", action, home.rows)]
    assert idle == [DONE_ALREADY]


@pytest.mark.parametrize("name", ["nobody", "alice", "bare", "viewer", "gone"])
def test_who_may_not_change_anything_changes_nothing(home: House, actions: list[Action], name: str) -> None:
    done = {action: changed_by(home, name, action, home.rows) for action in actions}
    assert {action: changed for action, changed in done.items() if changed} == {}


def test_staff_who_may_change_do_nothing_to_those_who_may_more(home: House, actions: list[Action]) -> None:
    boss = everything_of(make_superuser("boss"))
    forget_what_was_done()
    done = {
        action: changed_by(home, "changer", action, boss) for action in actions if action.model not in OF_NOBODY
    }
    assert {action: changed for action, changed in done.items() if changed} == {}


def test_they_do_it_to_those_who_may_not(home: House, actions: list[Action]) -> None:
    """But for groups, which carry privileges: a superuser's to delete."""
    left = [action for action in actions if not changed_by(home, "changer", action, home.rows)]
    assert {action.model for action in left if action.name != DONE_ALREADY} == {Group}
