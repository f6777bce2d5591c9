"""Every page of the admin: it opens, in a bounded number of queries, shows no secret and runs nothing foreign."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.csp import build_policy

from collab_app.models import Membership, Message, Room
from project.control_room.site import RELAXED_CSP
from sessions_app.models import (
    ApiKey,
    OutsideIdentity,
    Preference,
    RefreshToken,
    RevokedToken,
    Session,
    SessionToken,
    TokenFamily,
    User,
)
from tests.control_room import (
    ControlRoom,
    Page,
    deletion_of,
    form_for,
    history_of,
    list_of,
    make_staff,
    make_superuser,
    page_of,
    registered_models,
)
from tools_app.models import ToolCall, ToolPolicy

pytestmark = pytest.mark.pages

CANARIES = (
    "user-name", "first-name", "email", "key-name", "session-label", "client-name", "user-agent", "end-reason",
    "preference-key", "preference-value", "call-name", "call-client", "group-name", "token-name", "token-agent",
    "family-agent", "revoked-issuer", "jti", "revoked-reason", "key-reason", "issuer", "subject",
    "room-name", "room-text", "room-client", "room-state",
)  # fmt: skip


def canary(field: str) -> str:
    return f"\"'><script>{field}</script>"


@pytest.fixture
def operator(db_for_threads: None) -> User:
    return make_superuser()


@pytest.fixture
def viewer(db_for_threads: None) -> User:
    return make_staff("viewer", may="^view_")


@pytest.fixture(params=["operator", "viewer"])
def room(request: pytest.FixtureRequest) -> ControlRoom:
    return ControlRoom(request.getfixturevalue(request.param))


@pytest.fixture
def rows(operator: User) -> dict[type[Model], Any]:
    """One of everything, with a canary wherever somebody can write something."""
    user = User.objects.create_user(canary("user-name"), canary("email"), "correct horse")
    user.first_name = canary("first-name")
    user.save()
    group = Group.objects.create(name=canary("group-name"))
    user.groups.add(group)
    key, _ = ApiKey.mint(user, canary("key-name"), scopes=[])
    session = Session.objects.create(
        user=user,
        credential=key.credential,
        label=canary("session-label"),
        client_name=canary("client-name"),
        user_agent=canary("user-agent"),
        end_reason=canary("end-reason"),
        protocol_version="2026-07-28",
        transport="http",
    )
    Preference.objects.put(user.pk, canary("preference-key"), {"x": canary("preference-value")})
    call = make_call(user, session, canary("call-name"))
    meeting = Room.objects.start(user, canary("room-name"))
    message = meeting.post(user, canary("room-text"), client=canary("room-client"), key="room-key")
    meeting.state.set("key", canary("room-state"), user)
    token, _ = SessionToken.mint(user, canary("token-name"), user_agent=canary("token-agent"))
    family, _ = TokenFamily.open(user, user_agent=canary("family-agent"))
    RevokedToken.objects.revoke(canary("revoked-issuer"), canary("jti"), timezone.now(), canary("revoked-reason"))
    ControlRoom(operator).act("revoke", key, reason=canary("key-reason"))
    return {
        User: user,
        Group: group,
        ApiKey: key,
        Session: session,
        Preference: Preference.objects.get(),
        ToolCall: call,
        SessionToken: token,
        TokenFamily: family,
        RevokedToken: RevokedToken.objects.get(),
        OutsideIdentity: OutsideIdentity.objects.create(
            user=user, issuer=canary("issuer"), subject=canary("subject")
        ),
        LogEntry: LogEntry.objects.get(),
        Room: meeting,
        Message: message,
        Membership: meeting.member(user),
        ToolPolicy: ToolPolicy.objects.create(tool="echo", rate="5/m"),
    }


def make_call(user: User, session: Session, name: str) -> ToolCall:
    return ToolCall.objects.create(
        kind="tool",
        name=name,
        client_name=canary("call-client"),
        client_version="1",
        outcome="crashed",
        error_id="abc",
        user_id=user.pk,
        username=user.username,
        credential="api-key:1",
        session_id=session.pk,
        started_at=session.opened_at,
        duration_ms=1.25,
    )


def readable_pages(rows: dict[type[Model], Any]) -> list[str]:
    pages = ["/admin/", "/admin/password_change/"]
    for obj in rows.values():
        pages += [list_of(type(obj)), page_of(obj), history_of(obj)]
    return pages


def writing_pages(rows: dict[type[Model], Any]) -> list[str]:
    written: tuple[type[Model], ...] = (User, Group, ApiKey, Preference, OutsideIdentity)
    pages = [form_for(RevokedToken), *(form_for(model) for model in written)]
    pages += [deletion_of(rows[model]) for model in written]
    return [*pages, page_of(rows[User]).replace("change", "password")]


def test_every_registered_model_is_among_the_rows(rows: dict[type[Model], Any]) -> None:
    assert set(rows) == set(registered_models())


def test_every_page_opens(room: ControlRoom, rows: dict[type[Model], Any]) -> None:
    for path in readable_pages(rows):
        room.read(path)


def test_pages_that_write_open_for_those_who_may(
    operator: User, viewer: User, rows: dict[type[Model], Any]
) -> None:
    allowed, refused = ControlRoom(operator), ControlRoom(viewer)
    for path in writing_pages(rows):
        allowed.read(path)
        assert refused.get(path).status_code == 403, path


def test_nobody_who_is_not_staff_sees_a_page(alice: User, rows: dict[type[Model], Any]) -> None:
    visitors = (ControlRoom(), ControlRoom(alice))
    for path in readable_pages(rows) + writing_pages(rows):
        for visitor in visitors:
            response = visitor.get(path)
            assert response.status_code == 302, path
            assert response["Location"].startswith("/admin/login/"), path


def test_staff_without_permissions_see_nothing_of_others(db_for_threads: None, rows: Any) -> None:
    room = ControlRoom(make_staff("nobody", may="^$"))
    for path in readable_pages(rows)[2:]:
        assert room.get(path).status_code == 403, path


def test_what_people_wrote_is_text_on_every_page(
    operator: User, viewer: User, rows: dict[type[Model], Any]
) -> None:
    seen = ""
    for room, paths in (
        (ControlRoom(operator), readable_pages(rows) + writing_pages(rows)),
        (ControlRoom(viewer), readable_pages(rows)),
    ):
        for path in paths:
            page = room.read(path)
            assert "<script>" not in page, path
            seen += page
    assert [field for field in CANARIES if f"&lt;script&gt;{field}" not in seen] == []


def test_what_people_wrote_is_text_in_the_answers_to_actions_too(
    operator: User, rows: dict[type[Model], Any]
) -> None:
    room = ControlRoom(operator)
    answers = [
        room.act("end", rows[Session]),
        room.act("delete_selected", rows[User]),
        room.post(form_for(ApiKey), user=rows[User].pk, name=canary("another")),
        room.post(form_for(ApiKey), user=rows[User].pk, name=canary("another")),
        room.post(form_for(Preference), user=rows[User].pk, key="k", value=canary("no json")),
        room.get("/admin/", follow=True),
    ]
    assert all("<script>" not in answer.text for answer in answers)


def test_a_page_holds_no_script_or_style_of_its_own(room: ControlRoom, rows: dict[type[Model], Any]) -> None:
    for path in readable_pages(rows):
        response = room.get(path)
        assert response["Content-Security-Policy"] == build_policy(RELAXED_CSP)
        inline = Page(response.text).inline
        # Unfold's colours, and what its scripts set; none of which can run anything.
        assert [each for each in inline if each != "style" and not each.endswith(" style")] == [], path


def test_no_digest_hash_or_routing_id_is_on_any_page(room: ControlRoom, rows: dict[type[Model], Any]) -> None:
    hidden = [rows[ApiKey].digest, rows[SessionToken].digest, rows[Session].public_id]
    hidden += list(RefreshToken.objects.values_list("digest", flat=True))
    hidden += [part for user in User.objects.all() for part in (user.password, user.password.split("$")[-1][:6])]
    for path in readable_pages(rows):
        page = room.read(path)
        assert [secret for secret in hidden if secret in page] == [], path


GUESSES = (
    (ApiKey, "digest"),
    (ApiKey, "digest__startswith"),
    (ApiKey, "user__password__startswith"),
    (Session, "public_id__startswith"),
    (Session, "user__password__startswith"),
    (Preference, "user__password__startswith"),
    (User, "password__startswith"),
    (User, "api_keys__digest__startswith"),
    (SessionToken, "digest__startswith"),
    (SessionToken, "user__password__startswith"),
    (TokenFamily, "refresh_tokens__digest__startswith"),
    (OutsideIdentity, "user__password__startswith"),
    (User, "session_tokens__digest__startswith"),
    (User, "mcp_sessions__public_id__startswith"),
    (LogEntry, "user__password__startswith"),
    (Group, "user__password__startswith"),
    (Message, "idempotency_key__startswith"),
    (Room, "messages__idempotency_key__startswith"),
    (Membership, "user__password__startswith"),
)


def test_what_is_hidden_cannot_be_guessed_by_filtering(room: ControlRoom, rows: dict[type[Model], Any]) -> None:
    for model, lookup in GUESSES:
        assert room.get(list_of(model), **{lookup: "a"}).status_code == 400, lookup


def queries_for(room: ControlRoom, path: str) -> int:
    room.get(path)  # content types are read once and kept
    with CaptureQueriesContext(connection) as queries:
        room.read(path)
    return len(queries)


def test_the_number_of_queries_does_not_grow_with_the_rows(
    room: ControlRoom, operator: User, rows: dict[type[Model], Any]
) -> None:
    acting = ControlRoom(operator)
    paths = ["/admin/", *(list_of(model) for model in rows)]
    before = {path: queries_for(room, path) for path in paths}
    for number in range(10):
        user = User.objects.create_user(f"user-{number}")
        user.groups.add(Group.objects.create(name=f"group-{number}"))
        key, _ = ApiKey.mint(user, "key")
        session = Session.objects.create(user=user, credential=key.credential, label="key", transport="http")
        Preference.objects.put(user.pk, "key", number)
        make_call(user, session, "echo")
        SessionToken.mint(user)
        TokenFamily.open(user)
        RevokedToken.objects.revoke("issuer", str(number), timezone.now())
        OutsideIdentity.objects.create(user=user, issuer="issuer", subject=str(number))
        Room.objects.start(user, "Room").post(user, "Hello")
        acting.act("revoke", key)
    assert {path: queries_for(room, path) for path in paths} == before
    assert before.pop("/admin/") <= 20
    assert max(before.values()) <= 12


def test_a_page_takes_few_queries_however_much_its_user_may(room: ControlRoom, viewer: User) -> None:
    viewer.groups.add(*Group.objects.all())
    for obj in (viewer, Group.objects.get(name="Administrators")):
        assert queries_for(room, page_of(obj)) <= 15


def test_lists_are_sorted_by_any_column(operator: User, rows: dict[type[Model], Any]) -> None:
    room = ControlRoom(operator)
    for model in rows:
        columns = range(1, len(admin.site.get_model_admin(model).list_display) + 1)
        for order in [*columns, *(-column for column in columns)]:
            assert f"/{rows[model].pk}/change/" in room.read(list_of(model), o=str(order))


SEARCHES = (
    (User, "user-name"),
    (Group, "group-name"),
    (ApiKey, canary("key-name")),
    (Session, canary("session-label")),
    (SessionToken, canary("user-name")),
    (TokenFamily, canary("user-name")),
    (RevokedToken, canary("jti")),
    (OutsideIdentity, canary("subject")),
    (Preference, canary("preference-key")),
    (ToolCall, canary("call-name")),
    (ToolCall, "abc"),
    (LogEntry, "operator"),
    (Room, canary("room-name")),
    (Message, "room-text"),
    (Membership, canary("user-name")),
)


def test_lists_are_searched(operator: User, rows: dict[type[Model], Any]) -> None:
    room = ControlRoom(operator)
    for model, text in SEARCHES:
        assert f"/{rows[model].pk}/change/" in room.read(list_of(model), q=text), model
        assert f"/{rows[model].pk}/change/" not in room.read(list_of(model), q="nowhere"), model


FILTERS: tuple[tuple[type[Model], dict[str, str], dict[str, str]], ...] = (
    (ApiKey, {"status": "revoked"}, {"status": "valid"}),
    (ApiKey, {"created_at__gte": "2001-01-01 00:00:00+00:00"}, {"status": "expired"}),
    (SessionToken, {"status": "valid"}, {"status": "revoked"}),
    (SessionToken, {"created_at__gte": "2001-01-01 00:00:00+00:00"}, {"status": "expired"}),
    (TokenFamily, {"status": "valid"}, {"status": "expired"}),
    (Session, {"state": "live"}, {"state": "ended"}),
    (Session, {"transport__exact": "http"}, {"transport__exact": "websocket"}),
    (ToolCall, {"outcome": "crashed", "kind": "tool"}, {"outcome": "ok"}),
    (User, {"is_active__exact": "1"}, {"is_active__exact": "0"}),
    (LogEntry, {"action_flag__exact": "2"}, {"action_flag__exact": "3"}),
    (Room, {"state": "open"}, {"state": "closed"}),
    (Message, {}, {"room__id__exact": "0"}),
    (Membership, {"status": "present"}, {"status": "invited"}),
)


def test_lists_are_filtered(operator: User, rows: dict[type[Model], Any]) -> None:
    room = ControlRoom(operator)
    for model, within, without in FILTERS:
        assert f"/{rows[model].pk}/change/" in room.read(list_of(model), **within), within
        assert f"/{rows[model].pk}/change/" not in room.read(list_of(model), **without), without


def test_history_is_read_only_even_for_a_superuser(operator: User, rows: dict[type[Model], Any]) -> None:
    room = ControlRoom(operator)
    for model in (Session, ToolCall, LogEntry, Room, Message, Membership):
        before = model._base_manager.values().get(pk=rows[model].pk)
        for path in (form_for(model), page_of(rows[model]), deletion_of(rows[model])):
            assert room.post(path, label="x", name="x", post="yes").status_code == 403, path
        room.act("delete_selected", rows[model], post="yes")
        assert model._base_manager.values().get(pk=rows[model].pk) == before


def test_of_what_was_got_for_a_password_only_the_rate_can_be_changed(
    operator: User, rows: dict[type[Model], Any]
) -> None:
    room = ControlRoom(operator)
    for model in (SessionToken, TokenFamily):
        before = model._base_manager.values().get(pk=rows[model].pk)
        for path in (form_for(model), deletion_of(rows[model])):
            assert room.post(path, label="x", post="yes").status_code == 403, path
        room.save(rows[model], rate="7/h", name="x", expires_at="2099-01-01", user="1", revoked_at="")
        assert model._base_manager.values().get(pk=rows[model].pk) == {**before, "rate": "7/h"}
        assert "write 100/h" in room.post(page_of(rows[model]), rate="often").text


def test_a_forged_post_without_the_token_is_refused(operator: User, rows: dict[type[Model], Any]) -> None:
    room = ControlRoom(operator, enforce_csrf_checks=True)
    paths = [list_of(model) for model in rows] + [page_of(obj) for obj in rows.values()]
    for path in [*paths, *writing_pages(rows), "/admin/login/", "/admin/logout/", "/admin/password_change/"]:
        assert room.post(path).status_code == 403, path


def test_the_record_leads_to_its_user_and_session(operator: User, rows: dict[type[Model], Any]) -> None:
    page = ControlRoom(operator).read(page_of(rows[ToolCall]))
    for model in (User, Session):
        assert f'<a href="{page_of(rows[model])}">' in page


def test_times_are_written_so_that_they_sort(operator: User, rows: dict[type[Model], Any]) -> None:
    page = ControlRoom(operator).read(list_of(Session))
    assert f"{rows[Session].last_activity_at:%Y-%m-%d %H:%M}" in page
    assert "All times are UTC." in page
