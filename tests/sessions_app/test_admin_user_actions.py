"""What operators do to a user: put him out, end everything, take his password; and what his page says."""

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.core import mail

from sessions_app.models import ApiKey, Preference, Session, User
from tests.control_room import ControlRoom, list_of, make_staff, make_superuser, page_of

ACTIONS = ("deactivate", "end_everything", "reset_password")


@pytest.fixture
def operator(db: None) -> User:
    return make_superuser()


@pytest.fixture
def room(operator: User) -> ControlRoom:
    return ControlRoom(operator)


@pytest.fixture
def session(alice: User) -> Session:
    key, _ = ApiKey.mint(alice, "laptop")
    return Session.objects.create(
        user=alice, credential=key.credential, label="laptop", client_name="Claude Code", transport="http",
        protocol_version="2026-07-28",
    )  # fmt: skip


@pytest.mark.parametrize("is_page", [False, True], ids=["list", "page"])
def test_deactivating_ends_everything(room: ControlRoom, alice: User, session: Session, is_page: bool) -> None:
    answer = room.act_on_page("deactivate", alice) if is_page else room.act("deactivate", alice, reason="He left.")
    assert answer.status_code == 302
    alice.refresh_from_db()
    session.refresh_from_db()
    assert not alice.is_active
    assert session.ended_at is not None
    assert not ApiKey.objects.filter(revoked_at=None).exists()
    assert "Deactivated" in LogEntry.objects.get().get_change_message()


def test_ending_everything_leaves_the_account(room: ControlRoom, alice: User, session: Session) -> None:
    room.act("end_everything", alice)
    alice.refresh_from_db()
    session.refresh_from_db()
    assert alice.is_active
    assert session.ended_at is not None
    assert not ApiKey.objects.filter(revoked_at=None).exists()


def test_nobody_deactivates_himself(room: ControlRoom, operator: User, alice: User) -> None:
    room.act("deactivate", operator, alice)
    operator.refresh_from_db()
    alice.refresh_from_db()
    assert (operator.is_active, alice.is_active) == (True, False)


def test_a_password_that_was_reset_is_chosen_anew_by_mail(
    room: ControlRoom, alice: User, session: Session, settings: LazySettings
) -> None:
    settings.MAIL_IS_SENT = True
    User.objects.filter(pk=alice.pk).update(email="alice@example.com")
    room.act("reset_password", alice)
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert not alice.has_waiting_link
    assert mail.outbox[0].to == ["alice@example.com"]
    assert ApiKey.objects.filter(revoked_at=None).exists()


def test_where_it_cannot_be_mailed_an_operator_shows_the_link(
    room: ControlRoom, alice: User, settings: LazySettings
) -> None:
    settings.MAIL_IS_SENT = False
    room.act("reset_password", alice)
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert alice.has_waiting_link
    assert not mail.outbox
    assert "Show the link, once" in room.read(page_of(alice))


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_happens_before_the_answer(room: ControlRoom, alice: User, session: Session, action: str) -> None:
    before = (alice.password, alice.is_active)
    page = room.post(list_of(User), action=action, _selected_action=[str(alice.pk)])
    assert page.status_code == 200
    assert "alice" in page.text
    alice.refresh_from_db()
    session.refresh_from_db()
    assert (alice.password, alice.is_active) == before
    assert session.ended_at is None


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_does_it_to_somebody_with_more_privileges(operator: User, alice: User, action: str) -> None:
    clerk = ControlRoom(make_staff("clerk", "Members", may="^(view|change)_user$"))
    viewer = ControlRoom(make_staff("viewer", "Members", may="^view_user$"))
    before = list(User.objects.order_by("pk").values_list("password", "is_active"))
    clerk.act(action, operator)
    viewer.act(action, alice)
    viewer.act_on_page(action, alice)
    assert list(User.objects.order_by("pk").values_list("password", "is_active")) == before


def test_a_page_shows_what_is_the_user_s(room: ControlRoom, alice: User, session: Session) -> None:
    Preference.objects.put(alice.pk, "theme", "dark")
    page = room.read(page_of(alice))
    for shown in ("Claude Code", "laptop", "theme", "Requests against the limit", "Calls in the last 24 hours"):
        assert shown in page, shown
    assert session.public_id not in page


def test_a_page_s_queries_do_not_grow_with_what_is_the_user_s(
    room: ControlRoom, alice: User, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        ApiKey.mint(alice, f"key {number}")
        Preference.objects.put(alice.pk, f"key-{number}", number)
    with django_assert_max_num_queries(40):  # type: ignore[operator]  # a fixture
        page = room.read(page_of(alice))
    assert page.count("key 29") >= 1
    assert "key 0 (" not in page  # the newest, and no more than one reads
