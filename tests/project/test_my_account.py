"""One's name, address and password, on one's own page; the password is asked for once more where it matters."""

from html import unescape
from typing import Any

import pytest
from django.test import Client

from project.pages.account_forms import KnowingForm
from sessions_app import limits
from sessions_app.models import ApiKey, SessionToken, TokenFamily, User
from tests.control_room import ControlRoom, Page

PATH = "/me/account/"
RIGHT, WRONG, NEW = "correct horse", "battery staple", "a much better horse"
CANARY = "<script>alert('canary')</script>"


def profile(room: ControlRoom, **fields: str) -> Any:
    sent = {"first_name": "", "last_name": "", "email": "alice@example.com", "current_password": "", **fields}
    return room.post(PATH, do="profile", **{f"profile-{name}": value for name, value in sent.items()})


def password(room: ControlRoom, current: str = RIGHT, new: str = NEW, again: str = "") -> Any:
    sent = {"current_password": current, "new_password1": new, "new_password2": again or new}
    return room.post(PATH, do="password", **{f"password-{name}": value for name, value in sent.items()})


def now(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_a_name_is_changed_without_a_password(alice: User) -> None:
    room = ControlRoom(alice)
    assert profile(room, first_name="Alice", last_name="Liddell")["Location"] == PATH
    assert now(alice).get_full_name() == "Alice Liddell"
    assert 'value="Liddell"' in room.read(PATH)


@pytest.mark.parametrize("current", ["", WRONG])
def test_an_address_is_not_changed_without_the_password(alice: User, current: str) -> None:
    answer = profile(ControlRoom(alice), email="new@example.com", first_name="Alice", current_password=current)
    assert answer.status_code == 400
    assert ("write your current password" if not current else "That is not your password.") in answer.text
    assert Page(answer.text).fields["profile-email"] == "new@example.com"
    assert WRONG not in answer.text
    assert (now(alice).email, now(alice).first_name) == ("alice@example.com", "")


def test_an_address_is_changed_with_the_password(alice: User) -> None:
    assert profile(ControlRoom(alice), email="new@example.com", current_password=RIGHT).status_code == 302
    assert now(alice).email == "new@example.com"
    assert profile(ControlRoom(alice), email="", current_password=RIGHT).status_code == 302
    assert now(alice).email == ""


@pytest.mark.parametrize(
    "email", ["nothing", "a@b", "x" * 300 + "@example.com", "a@example.com\nBcc: b@example.com"]
)
def test_what_is_no_address_is_refused(alice: User, email: str) -> None:
    assert profile(ControlRoom(alice), email=email, current_password=RIGHT).status_code == 400
    assert now(alice).email == "alice@example.com"


def test_nothing_else_of_an_account_is_changed_here(alice: User) -> None:
    profile(ControlRoom(alice), first_name="A", is_staff="on", is_superuser="on", username="root")
    changed = now(alice)
    assert (changed.is_staff, changed.is_superuser, changed.username) == (False, False, "alice")


def test_a_password_is_changed_and_all_else_that_it_opened_ends(alice: User) -> None:
    here, elsewhere = ControlRoom(alice), ControlRoom(alice)
    SessionToken.mint(alice)
    TokenFamily.open(alice)
    ApiKey.mint(alice, "laptop")
    assert password(here)["Location"] == PATH
    assert now(alice).check_password(NEW)
    assert "Your password was changed." in here.read(PATH), "this browser stays signed in"
    assert elsewhere.get(PATH).status_code == 302
    assert not alice.session_tokens.valid().exists()
    assert not alice.token_families.valid().exists()
    assert alice.api_keys.valid().exists()


@pytest.mark.parametrize(
    ("current", "new", "again", "sentence"),
    [
        (WRONG, NEW, "", "That is not your password."),
        ("", NEW, "", "This field is required."),
        (RIGHT, NEW, "another horse", "two password fields didn’t match"),
        (RIGHT, "short", "", "too short"),
        (RIGHT, "password", "", "too common"),
        (RIGHT, "9876543219", "", "entirely numeric"),
        (RIGHT, "alice@example.com", "", "too similar"),
    ],
)
def test_a_password_that_is_refused_changes_nothing(
    alice: User, current: str, new: str, again: str, sentence: str
) -> None:
    answer = password(ControlRoom(alice), current, new, again)
    assert answer.status_code == 400
    assert sentence in answer.text
    assert now(alice).check_password(RIGHT)
    for secret in filter(None, (current, new, again)):
        assert f'value="{secret}"' not in Page(answer.text).fields.values()


def test_wrong_passwords_are_limited_as_sign_ins_are(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    room = ControlRoom(alice)
    for _ in range(limits.SIGN_IN_ACCOUNT.most):
        assert password(room, WRONG).status_code == 400
    for answer in (password(room, RIGHT), profile(room, email="new@example.com", current_password=RIGHT)):
        assert answer.status_code == 429
        assert "Too many wrong passwords. Try again in 60 minutes." in answer.text
    signing_in = Client().post("/sign-in/", {"username": "alice", "password": RIGHT})
    assert signing_in.status_code == 429, "they count together"
    assert WRONG not in caplog.text
    assert now(alice).check_password(RIGHT)


def test_who_changes_it_meanwhile_wins(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    check = KnowingForm.check

    def slowly(form: KnowingForm, typed: str) -> None:
        check(form, typed)
        other = now(alice)
        other.set_password("set by an operator")
        other.save()

    monkeypatch.setattr(KnowingForm, "check", slowly)
    assert password(ControlRoom(alice)).status_code == 302
    assert now(alice).check_password("set by an operator")
    alice.set_password(RIGHT)
    alice.save()
    profile(ControlRoom(alice), email="new@example.com", current_password=RIGHT)
    assert now(alice).email == "alice@example.com"


def test_what_is_not_offered_is_not_done(alice: User) -> None:
    assert ControlRoom(alice).post(PATH, do="destroy").status_code == 400
    assert ControlRoom(alice).post(PATH).status_code == 400


def test_a_name_is_text(alice: User) -> None:
    room = ControlRoom(alice)
    profile(room, first_name=CANARY, last_name=CANARY)
    html = room.read(PATH)
    assert CANARY not in html
    assert CANARY in unescape(html)
    assert Page(html).inline == []
