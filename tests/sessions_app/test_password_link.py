"""The link with which somebody chooses a new password: by mail or handed over, once, and for half an hour."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.utils import timezone

from sessions_app.exceptions import LinkRefused
from sessions_app.models import SessionToken, User
from sessions_app.password_link import PasswordLink, link_for, masked
from tests.conftest import make_user
from tests.control_room import ControlRoom, page_of

ORIGIN = "http://127.0.0.1:8000"
NEW = "a much better horse"
pytestmark = pytest.mark.usefixtures("db_for_threads")


def sent_path() -> str:
    return mail.outbox[-1].body.split(ORIGIN)[1].split()[0]


def reset(user: User) -> str:
    """As `admin-operations` does it: the path of the link that was mailed."""
    link = PasswordLink(user)
    link.send()
    link.apply(User.objects.get(pk=user.pk), "by a test")
    return sent_path()


class Visitor:
    """A browser that follows a link and fills in the form."""

    def __init__(self) -> None:
        self.client = Client()

    def open(self, path: str) -> Any:
        return self.client.get(path, follow=True, HTTP_HOST="127.0.0.1:8000")

    def choose(self, path: str, password: str = NEW) -> Any:
        page = self.open(path)
        form = page.request["PATH_INFO"]
        words = {"new_password1": password, "new_password2": password}
        return self.client.post(form, words, follow=True, HTTP_HOST="127.0.0.1:8000")


def test_a_new_password_is_chosen_once(alice: User) -> None:
    path = reset(alice)
    done = Visitor().choose(path)
    assert "Your password has been set" in done.text
    assert User.objects.get(pk=alice.pk).check_password(NEW)
    again = Visitor().choose(path, "another password")
    assert "invalid" in again.text
    assert "Django" not in again.text
    assert User.objects.get(pk=alice.pk).check_password(NEW)


def test_a_link_opens_nothing_before_what_it_rests_on_is_committed(alice: User) -> None:
    PasswordLink(alice).send()
    assert "invalid" in Visitor().choose(sent_path()).text
    assert User.objects.get(pk=alice.pk).check_password("correct horse")


def test_it_is_good_for_half_an_hour(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    path = reset(alice)
    from django.contrib.auth.tokens import PasswordResetTokenGenerator

    now = PasswordResetTokenGenerator._now
    for minutes, is_good in ((29, True), (31, False)):
        later = lambda self, minutes=minutes: now(self) + timedelta(minutes=minutes)  # noqa: E731
        monkeypatch.setattr(PasswordResetTokenGenerator, "_now", later)
        assert ("new_password1" in Visitor().open(path).text) == is_good


@pytest.mark.parametrize("change", ["another link", "another address", "another password"])
def test_it_ends_with_what_it_was_made_of(alice: User, change: str) -> None:
    path = reset(alice)
    user = User.objects.get(pk=alice.pk)
    match change:
        case "another link":
            reset(user)
        case "another address":
            user.email = "new@example.com"
            user.save()
        case _:
            user.set_password("set by an operator")
            user.save()
    assert "invalid" in Visitor().open(path).text


def test_what_changes_while_the_mail_is_on_its_way_is_noticed(alice: User) -> None:
    link = PasswordLink(alice)
    User.objects.filter(pk=alice.pk).update(email="new@example.com")
    with pytest.raises(LinkRefused, match="changed meanwhile"):
        link.apply(User.objects.get(pk=alice.pk), "by a test")


def test_a_weak_password_is_refused_and_the_link_stays_good(alice: User) -> None:
    path = reset(alice)
    assert "too common" in Visitor().choose(path, "password").text
    assert "has been set" in Visitor().choose(path).text


def test_its_pages_tell_nobody_and_are_kept_nowhere(alice: User) -> None:
    path = reset(alice)
    visitor = Visitor()
    form = visitor.open(path)
    assert path.rstrip("/").rpartition("/")[2] not in form.request["PATH_INFO"]  # nor in anybody's history
    for page in (visitor.client.get(path, HTTP_HOST="127.0.0.1:8000"), form, visitor.choose(path)):
        # Not `no-referrer`: a browser would send its form with `Origin: null`, which is nobody's.
        assert page["referrer-policy"] == "same-origin"
        assert "no-store" in page["cache-control"]
        assert "content-security-policy" in page


def test_choosing_ends_what_was_got_meanwhile(alice: User) -> None:
    path = reset(alice)
    SessionToken.mint(User.objects.get(pk=alice.pk))
    Visitor().choose(path)
    assert not alice.session_tokens.valid().exists()


def test_the_host_is_the_public_one_whatever_a_request_says(alice: User) -> None:
    assert link_for(alice).startswith(f"{ORIGIN}/password/")
    refused = Client().get("/password/x/y/", HTTP_HOST="evil.example")
    assert refused.status_code == 400


NEVER_MADE = ["x/y", "MQ/set-password", "%F0%9F/z", f"{'a' * 500}/b"]


@pytest.mark.parametrize("path", NEVER_MADE)
def test_a_link_that_was_never_made_is_answered_kindly(path: str) -> None:
    page = Visitor().open(f"/password/{path}/")
    assert page.status_code == 200
    assert "invalid" in page.text


def test_an_address_is_told_by_its_first_letter() -> None:
    assert masked("alice@example.com") == "a***@example.com"
    assert masked("@example.com") == "***@example.com"


# --- Without an address ---


@pytest.fixture
def waiting(alice: User) -> User:
    alice.leave_link_to_operators()
    return alice


@pytest.fixture
def operator() -> ControlRoom:
    boss = make_user("boss")
    User.objects.filter(pk=boss.pk).update(is_staff=True, is_superuser=True)
    return ControlRoom(User.objects.get(pk=boss.pk))


def link_page(user: User) -> str:
    return f"/admin/sessions_app/user/{user.pk}/password-link/"


def test_an_operator_is_shown_the_link_once(waiting: User, operator: ControlRoom) -> None:
    assert "Show the link, once" in operator.read(page_of(waiting))
    page = operator.post(link_page(waiting))
    assert page.status_code == 200
    assert "no-store" in page["cache-control"]
    path = page.text.split(f"{ORIGIN}")[1].split("<")[0]
    assert "has been set" in Visitor().choose(path).text
    assert "Show the link" not in operator.read(page_of(waiting))
    assert operator.post(link_page(waiting)).status_code == 302
    assert LogEntry.objects.get().change_message == "Was shown the link to choose a new password."


def test_it_waits_for_a_day(waiting: User, operator: ControlRoom) -> None:
    User.objects.filter(pk=waiting.pk).update(reset_link_until=timezone.now() - timedelta(seconds=1))
    assert operator.post(link_page(waiting)).status_code == 302
    assert not LogEntry.objects.exists()


def test_only_who_may_change_the_user_is_shown_it(waiting: User) -> None:
    staff = make_user("staff")
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    room = ControlRoom(User.objects.get(pk=staff.pk))
    assert room.post(link_page(waiting)).status_code == 403
    assert ControlRoom().post(link_page(waiting)).status_code == 302
    assert ControlRoom(User.objects.get(pk=staff.pk)).get(link_page(waiting)).status_code == 405
    assert User.objects.get(pk=waiting.pk).reset_link_until is not None


def test_of_two_who_ask_one_is_shown_it(waiting: User) -> None:
    assert [User.objects.get(pk=waiting.pk).take_link() for _ in range(2)] == [True, False]
