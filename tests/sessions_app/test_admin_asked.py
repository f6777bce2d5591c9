"""What an address or a form may ask of a list, and what cannot be: refused with a sentence, and quickly."""

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, transaction

from sessions_app.models import ApiKey, Session, User
from tests.control_room import ControlRoom, list_of, make_staff, make_superuser, page_of
from tools_app import hourly, recorder

ASKED = [
    (User, {"username__regex": "^(.+)+!$"}),
    (ApiKey, {"name__contains": "a"}),
    (ApiKey, {"created_at__year": "99999999"}),
    (ApiKey, {"id__in": "1,99999999999999999999"}),
    (Session, {"label__startswith": "a"}),
    (User, {"q": "x" * 60_000}),
]


@pytest.mark.parametrize(("model", "query"), ASKED)
def test_no_question_but_the_filters_own_is_answered(db: None, model: type[User], query: dict[str, str]) -> None:
    assert ControlRoom(make_superuser()).get(list_of(model), **query).status_code == 400


@pytest.mark.parametrize("selected", ["abc", "\x00", "9" * 24, "9" * 5000])
def test_what_is_no_row_is_not_acted_on(db: None, alice: User, selected: str) -> None:
    ApiKey.mint(alice, "laptop")
    for action in ("revoke", "delete_selected"):
        sent = {"action": action, "_selected_action": selected, "confirmed": "yes"}
        assert ControlRoom(make_superuser(action)).post(list_of(ApiKey), **sent).status_code in (200, 302, 400)
    assert ApiKey.objects.get().is_valid


def test_a_reason_is_one_visible_line(db: None, alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    ControlRoom(make_superuser()).act("revoke", key, reason="a\x00b\nc")
    key.refresh_from_db()
    assert key.revoked_reason == "by operator: a\\x00b c"


def test_who_is_ended_is_signed_out_in_browsers_too(db_for_threads: None, alice: User) -> None:
    browser = ControlRoom(alice)
    assert browser.get("/me/").status_code == 200
    ControlRoom(make_superuser()).act("end_everything", alice)
    assert browser.get("/me/").status_code == 302


def test_no_operator_becomes_a_service_account_by_the_way(db: None) -> None:
    boss = make_superuser()
    clerk = make_staff("clerk", may="^(view|change)_user$")
    for user, target in ((boss, boss), (clerk, clerk), (clerk, make_staff("other", may="^$"))):
        assert ControlRoom(user).save(target, is_service="on").status_code == 302
        target.refresh_from_db()
        assert not target.is_service


def test_a_service_account_is_given_no_password(db: None, alice: User) -> None:
    alice.become_service("it is a program's")
    password = {"password1": "plum-tortoise-9", "password2": "plum-tortoise-9", "usable_password": "true"}
    ControlRoom(make_superuser()).post(page_of(alice).replace("change", "password"), **password)
    alice.refresh_from_db()
    assert not alice.has_usable_password()


def test_what_was_written_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row that cannot be stored, and then a database that goes away: only what is left is tried once more."""
    written: list[str] = []

    def insert(entries: list[str]) -> None:
        if len(entries) > 1:
            raise ValueError("one of them")
        if entries == ["later"]:
            raise OperationalError("gone")
        written.extend(entries)

    monkeypatch.setattr(recorder, "insert", lambda entries: insert([entry.name for entry in entries]))
    monkeypatch.setattr(recorder, "count", lambda entries: None)
    monkeypatch.setattr(hourly, "add", lambda entries: None)
    monkeypatch.setattr(transaction, "atomic", lambda: nothing())

    class Named:
        is_stored = False

        def __init__(self, name: str) -> None:
            self.name = name

    entries = [Named("first"), Named("later")]
    assert [left.name for left in recorder.write(entries)] == ["later"]  # type: ignore[arg-type]
    assert written == ["first"]


class nothing:  # noqa: N801 (in the place of a context manager)
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


@pytest.mark.parametrize("number", ["9" * 24, str(2**63), "-" + "9" * 24])
def test_a_form_that_names_what_no_row_can_be_is_refused(db: None, alice: User, number: str) -> None:
    room = ControlRoom(make_superuser())
    group = Group.objects.create(name="A group")
    for obj, named in ((group, "permissions"), (alice, "groups"), (alice, "user_permissions")):
        assert room.save(obj, **{named: number}).status_code in (200, 400)
    assert not group.permissions.exists()
