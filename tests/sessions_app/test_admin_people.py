"""Staff in the admin: nobody acts on who may do more than himself, and nobody gives himself more."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.db.models import Model

from sessions_app.models import (
    ApiKey,
    OutsideIdentity,
    Preference,
    Session,
    SessionToken,
    TokenFamily,
    User,
)
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from tests.conftest import make_user
from tests.control_room import (
    ControlRoom,
    deletion_of,
    form_for,
    list_of,
    make_staff,
    make_superuser,
    page_of,
    registered_models,
)
from tools_app.models import ToolCall

pytestmark = pytest.mark.pages

PEOPLE_AND_GROUPS = (
    "_(user|apikey|session|preference|group|toolcall|logentry|sessiontoken|tokenfamily|outsideidentity)$"
)


@pytest.fixture
def helpdesk(db_for_threads: None) -> User:
    """May do everything to people and groups, and call what members may; no more."""
    return make_staff("helpdesk", MEMBERS, may=PEOPLE_AND_GROUPS)


@pytest.fixture
def room(helpdesk: User) -> ControlRoom:
    return ControlRoom(helpdesk)


def superuser() -> User:
    return make_superuser()


def inactive_superuser() -> User:
    return inactive(make_superuser())


def administrator() -> User:
    return make_user("boss", ADMINISTRATORS)


def inactive_administrator() -> User:
    return inactive(administrator())


def one_permission_more() -> User:
    user = make_user("boss", MEMBERS)
    user.user_permissions.add(Permission.objects.get(codename="call_restock"))
    return user


def inactive(user: User) -> User:
    user.is_active = False
    user.save()
    return user


@pytest.fixture(
    params=[superuser, inactive_superuser, administrator, inactive_administrator, one_permission_more],
    ids=lambda make: make.__name__,
)
def above(request: pytest.FixtureRequest, helpdesk: User) -> User:
    """Somebody with a privilege that the helpdesk lacks, now or when he is activated again."""
    user: User = request.param()
    return user


def belongings(user: User) -> dict[type[Model], Any]:
    key, _ = ApiKey.mint(user, "laptop")
    session = Session.objects.create(user=user, credential=key.credential, label="laptop", transport="http")
    Preference.objects.put(user.pk, "theme", "dark")
    User.objects.filter(pk=user.pk).update(is_active=True)  # who is not cannot sign in
    token, family = SessionToken.mint(user)[0], TokenFamily.open(user)[0]
    User.objects.filter(pk=user.pk).update(is_active=user.is_active)
    return {
        User: user,
        ApiKey: key,
        Session: session,
        Preference: user.preferences.get(),
        SessionToken: token,
        TokenFamily: family,
        OutsideIdentity: OutsideIdentity.objects.create(
            user=user, issuer="https://a.example", subject=user.username
        ),
    }


def everything() -> list[Any]:
    """Every row that an act below could change, as the database has it."""
    models: list[type[Model]] = [User, ApiKey, Session, Preference, Group, User.groups.through]
    models += [SessionToken, TokenFamily, OutsideIdentity]
    models += [User.user_permissions.through, Group.permissions.through]
    # Signing in is noted; that is no act on anybody.
    return [
        {name: value for name, value in row.items() if name != "last_login"}
        for model in models
        for row in model._base_manager.order_by("pk").values()
    ]


PASSWORD = {"password1": "plum-tortoise-9", "password2": "plum-tortoise-9", "usable_password": "true"}

ACTS: dict[str, Callable[[ControlRoom, dict[type[Model], Any]], Any]] = {
    "rename": lambda room, his: room.post(page_of(his[User]), username="renamed", email="mine@example.com"),
    "set a password": lambda room, his: room.post(page_of(his[User]).replace("change", "password"), **PASSWORD),
    "delete": lambda room, his: room.post(deletion_of(his[User]), post="yes"),
    "delete selected": lambda room, his: room.act("delete_selected", his[User], post="yes"),
    "mint a key": lambda room, his: room.post(form_for(ApiKey), user=his[User], name="mine"),
    "save a key as a new one": lambda room, his: room.post(
        page_of(his[ApiKey]), user=his[User], name="mine", _saveasnew="1"
    ),
    "widen a key": lambda room, his: room.post(page_of(his[ApiKey]), name="renamed"),
    "revoke a key": lambda room, his: room.act("revoke", his[ApiKey]),
    "revoke a key on its page": lambda room, his: room.act_on_page("revoke", his[ApiKey]),
    "delete a key": lambda room, his: room.post(deletion_of(his[ApiKey]), post="yes"),
    "delete selected keys": lambda room, his: room.act("delete_selected", his[ApiKey], post="yes"),
    "revoke a token": lambda room, his: room.act("revoke", his[SessionToken]),
    "revoke a token on its page": lambda room, his: room.act_on_page("revoke", his[SessionToken]),
    "revoke a family": lambda room, his: room.act("revoke", his[TokenFamily]),
    "revoke a family on its page": lambda room, his: room.act_on_page("revoke", his[TokenFamily]),
    "link a subject": lambda room, his: room.post(
        form_for(OutsideIdentity), user=his[User], issuer="https://a.example", subject="mine"
    ),
    "change a link": lambda room, his: room.post(
        page_of(his[OutsideIdentity]), user=his[User], issuer="https://a.example", subject="mine"
    ),
    "delete a link": lambda room, his: room.post(deletion_of(his[OutsideIdentity]), post="yes"),
    "delete selected links": lambda room, his: room.act("delete_selected", his[OutsideIdentity], post="yes"),
    "end a session": lambda room, his: room.act("end", his[Session]),
    "end a session on its page": lambda room, his: room.act_on_page("end", his[Session]),
    "end a session and revoke": lambda room, his: room.act("end_and_revoke", his[Session]),
    "end a session and revoke on its page": lambda room, his: room.act_on_page("end_and_revoke", his[Session]),
    "add a preference": lambda room, his: room.post(form_for(Preference), user=his[User], key="k", value="1"),
    "change a preference": lambda room, his: room.post(page_of(his[Preference]), value='"light"'),
    "delete a preference": lambda room, his: room.post(deletion_of(his[Preference]), post="yes"),
    "delete selected preferences": lambda room, his: room.act("delete_selected", his[Preference], post="yes"),
}


def test_nothing_can_be_done_to_somebody_with_more_privileges(room: ControlRoom, above: User) -> None:
    his = belongings(above)
    before = everything()
    for name, act in ACTS.items():
        act(room, his)
        assert everything() == before, name
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", list(ACTS))
def test_the_same_can_be_done_to_somebody_with_no_more(room: ControlRoom, alice: User, name: str) -> None:
    his = belongings(alice)
    before = everything()
    ACTS[name](room, his)
    assert everything() != before
    assert LogEntry.objects.exists()


def test_of_several_only_those_within_reach_are_touched(room: ControlRoom, alice: User, admin: User) -> None:
    hers, his = belongings(alice), belongings(admin)
    room.act("revoke", hers[ApiKey], his[ApiKey])
    room.act("end", hers[Session], his[Session])
    assert list(ApiKey.objects.filter(revoked_at=None)) == [his[ApiKey]]
    assert list(Session.objects.live()) == [his[Session]]
    assert "Left alone: 1 of users who may do more than you." in room.read(list_of(ApiKey))
    room.act("delete_selected", alice, admin, post="yes")
    assert User.objects.filter(pk__in=[alice.pk, admin.pk]).count() == 2


def test_those_out_of_reach_can_be_seen_and_are_not_offered(room: ControlRoom, alice: User, admin: User) -> None:
    his = belongings(admin)
    for model in (ApiKey, Session, Preference, User):
        assert 'name="_save"' not in room.read(page_of(his[model]))
    for model in (ApiKey, Preference):
        form = room.read(form_for(model))
        assert f'<option value="{alice}">' in form
        assert f'<option value="{admin}">' not in form


EVERY_PRIVILEGE = {"is_staff": "on", "is_superuser": "on", "is_active": "on"}


def test_nobody_gives_privileges_to_himself_or_others_unless_a_superuser(
    room: ControlRoom, helpdesk: User, alice: User
) -> None:
    groups = [group.pk for group in Group.objects.all()]
    permissions = [permission.pk for permission in Permission.objects.all()]
    for user in (helpdesk, alice):
        before = user.permission_names()
        forged = {**EVERY_PRIVILEGE, "groups": groups, "user_permissions": permissions}
        assert room.save(user, first_name="Changed", **forged).status_code == 302
        user.refresh_from_db()
        assert (user.first_name, user.is_superuser, user.is_staff) == ("Changed", False, user == helpdesk)
        assert user.permission_names() == before


def test_a_new_user_has_no_privileges_whatever_was_sent(room: ControlRoom) -> None:
    room.post(form_for(User), username="new", **PASSWORD, **EVERY_PRIVILEGE, groups=[1, 2, 3])
    user = User.objects.get(username="new")
    assert (user.is_staff, user.is_superuser, user.permission_names()) == (False, False, frozenset())


def test_a_new_user_is_a_member_if_a_superuser_makes_him(db_for_threads: None) -> None:
    answer = ControlRoom(make_superuser()).client.post(
        form_for(User), {"username": "ada", **PASSWORD}, follow=True
    )
    assert "In the group Members: ada." in answer.text
    assert [group.name for group in User.objects.get(username="ada").groups.all()] == [MEMBERS]


def test_a_new_user_of_anybody_else_s_is_said_to_be_in_no_group(room: ControlRoom) -> None:
    answer = room.client.post(form_for(User), {"username": "ada", **PASSWORD}, follow=True)
    assert "In no group yet, and so without any permission: ada." in answer.text
    assert not User.objects.get(username="ada").groups.exists()


def test_groups_are_changed_by_superusers_only(room: ControlRoom) -> None:
    members = Group.objects.get(name=MEMBERS)
    permissions = [permission.pk for permission in Permission.objects.all()]
    before = everything()
    assert room.post(page_of(members), name=MEMBERS, permissions=permissions).status_code == 403
    assert room.post(form_for(Group), name="mine", permissions=permissions).status_code == 403
    assert room.post(deletion_of(members), post="yes").status_code == 403
    room.act("delete_selected", members, post="yes")
    assert everything() == before


def test_a_superuser_gives_and_takes_privileges(db_for_threads: None, alice: User) -> None:
    room = ControlRoom(make_superuser())
    restock = Permission.objects.get(codename="call_restock")
    room.save(alice, groups=[], user_permissions=[restock.pk])
    assert alice.permission_names() == {"tools_app.call_restock"}
    room.save(Group.objects.get(name=MEMBERS), permissions=[restock.pk])
    room.save(alice, groups=[Group.objects.get(name=MEMBERS).pk], user_permissions=[])
    assert alice.permission_names() == {"tools_app.call_restock"}


def test_nobody_takes_himself_out(helpdesk: User) -> None:
    operator = make_superuser()
    for user in (operator, helpdesk):
        room = ControlRoom(user)
        assert room.post(deletion_of(user), post="yes").status_code == 403
        room.act("delete_selected", user, post="yes")
        assert room.save(user, is_active="", is_staff="", is_superuser="").status_code == 302
    operator.refresh_from_db()
    assert (operator.is_active, operator.is_staff, operator.is_superuser) == (True, True, True)
    assert User.objects.filter(is_active=True).count() == 2


def test_who_acted_in_the_admin_is_not_deleted_with_what_he_did(helpdesk: User, alice: User) -> None:
    ControlRoom(helpdesk).save(alice, first_name="Alice")
    room = ControlRoom(make_superuser())
    assert "log entry" in room.read(deletion_of(helpdesk))
    assert room.post(deletion_of(helpdesk), post="yes").status_code == 403
    assert LogEntry.objects.filter(user=helpdesk).exists()
    room.save(helpdesk, is_active="")
    helpdesk.refresh_from_db()
    assert not helpdesk.is_active


def test_a_deleted_users_calls_stay_in_the_record(db_for_threads: None, alice: User) -> None:
    session = belongings(alice)[Session]
    ToolCall.objects.create(
        name="echo", outcome="ok", user_id=alice.pk, username="alice", credential="api-key:1",
        session_id=session.pk, started_at=session.opened_at, duration_ms=1,
    )  # fmt: skip
    room = ControlRoom(make_superuser())
    assert room.post(deletion_of(alice), post="yes").status_code == 302
    assert not User.objects.filter(username="alice").exists()
    assert not Session.objects.exists()
    assert "alice" in room.read(page_of(ToolCall.objects.get()))


def test_who_may_only_look_changes_nothing(alice: User) -> None:
    room = ControlRoom(make_staff("viewer", MEMBERS, may="^view_"))
    his = belongings(alice)
    before = everything()
    for name, act in ACTS.items():
        act(room, his)
        assert everything() == before, name
    for model in registered_models():
        assert room.post(form_for(model)).status_code == 403, model


def test_a_new_password_is_not_repeated_and_ends_sign_ins(helpdesk: User) -> None:
    room = ControlRoom(make_superuser())
    signed_in = ControlRoom(helpdesk)
    signed_in.read("/admin/")
    refused = room.post(page_of(helpdesk).replace("change", "password"), **{**PASSWORD, "password2": "other"})
    assert PASSWORD["password1"] not in refused.text
    ACTS["set a password"](room, {User: helpdesk})
    assert signed_in.get("/admin/").status_code == 302
    helpdesk.refresh_from_db()
    assert helpdesk.check_password(PASSWORD["password1"])


@pytest.mark.parametrize("make", [superuser, administrator, one_permission_more])
def test_reach_is_what_the_database_says_now(helpdesk: User, alice: User, make: Callable[[], User]) -> None:
    above = make()
    assert helpdesk.may_act_on(alice)
    assert not helpdesk.may_act_on(above)
    assert above.may_act_on(alice)
    assert not above.may_act_on(helpdesk) or above.is_superuser
    User.objects.filter(pk=above.pk).update(is_superuser=False)
    above.groups.clear()
    above.user_permissions.clear()
    assert helpdesk.may_act_on(above)
    User.objects.filter(pk=helpdesk.pk).update(is_active=False)
    assert not User.objects.get(pk=helpdesk.pk).may_act_on(above)


def test_who_may_not_enter_the_control_room_cannot_act_on_who_may(admin: User) -> None:
    clerk = make_staff("clerk", may="^$")
    assert not admin.may_act_on(clerk)
    User.objects.filter(pk=clerk.pk).update(is_staff=False)
    assert admin.may_act_on(clerk)
