"""What changing a password ends, and what it does not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import identify_hasher
from django.core.management import call_command
from django.utils import timezone

from sessions_app.exceptions import Unauthenticated
from sessions_app.models import ApiKey, RefreshToken, SessionToken, TokenFamily, User
from tests.conftest import key_for
from tests.control_room import ControlRoom, make_superuser, page_of

NEW = "battery staple correct"


def by_set_password(user: User) -> None:
    user.set_password(NEW)
    user.save()


def by_set_password_alone(user: User) -> None:
    user.set_password(NEW)
    user.save(update_fields=["password"])


def by_taking_it_away(user: User) -> None:
    user.set_unusable_password()
    user.save()


def by_changepassword(user: User) -> None:
    from unittest import mock

    with mock.patch("getpass.getpass", return_value=NEW):
        call_command("changepassword", user.username)


def by_the_admin(user: User) -> None:
    room = ControlRoom(make_superuser())
    answer = room.post(page_of(user).replace("change", "password"), password1=NEW, password2=NEW)
    assert answer.status_code == 302


WAYS = [by_set_password, by_set_password_alone, by_taking_it_away, by_changepassword, by_the_admin]


@pytest.mark.parametrize("change", WAYS)
def test_it_ends_what_was_got_for_the_old_one(alice: User, change: Callable[[User], None]) -> None:
    token, _ = SessionToken.mint(alice)
    family, refresh = TokenFamily.open(alice)
    before = timezone.now()
    change(alice)
    alice.refresh_from_db()
    assert alice.tokens_valid_after is not None
    assert alice.tokens_valid_after >= before
    for row in (token, family):
        row.refresh_from_db()
        assert row.revoked_reason == "the password was changed"
    with pytest.raises(Unauthenticated):
        RefreshToken.objects.redeem(refresh.value)


@pytest.mark.parametrize("change", WAYS)
def test_api_keys_stay(alice: User, change: Callable[[User], None]) -> None:
    key_for(alice)
    change(alice)
    assert ApiKey.objects.valid().count() == 1


def test_others_stay_signed_in(alice: User, bob: User) -> None:
    SessionToken.mint(bob)
    by_set_password(alice)
    assert SessionToken.objects.valid().count() == 1


def test_what_is_got_for_the_new_one_is_valid(alice: User) -> None:
    by_set_password(alice)
    SessionToken.mint(alice)
    _, refresh = TokenFamily.open(alice)
    assert SessionToken.objects.valid().count() == TokenFamily.objects.valid().count() == 1
    RefreshToken.objects.redeem(refresh.value)


def test_a_sign_in_with_the_old_one_that_is_still_under_way_gets_nothing(alice: User) -> None:
    """Its password was right when it was checked."""
    signing_in = User.objects.get(pk=alice.pk)
    by_set_password(alice)
    for get in (SessionToken.mint, TokenFamily.open):
        with pytest.raises(Unauthenticated):
            get(signing_in)
    assert not SessionToken.objects.exists()
    assert not TokenFamily.objects.exists()


def test_a_better_hash_of_the_same_one_ends_nothing(alice: User, settings: Any) -> None:
    SessionToken.mint(alice)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS,
    ]  # fmt: skip
    signed_in = authenticate(username="alice", password="correct horse")
    assert isinstance(signed_in, User)
    assert identify_hasher(User.objects.get(pk=alice.pk).password).algorithm == "pbkdf2_sha256"
    signed_in.save()
    assert SessionToken.objects.valid().count() == 1
    assert SessionToken.mint(signed_in)


def test_saving_something_else_ends_nothing(alice: User) -> None:
    SessionToken.mint(alice)
    alice.email = "new@example.com"
    alice.save()
    alice.set_password(NEW)
    alice.save(update_fields=["email"])  # so the password was not saved
    assert SessionToken.objects.valid().count() == 1


def test_a_new_user_without_a_password_is_saved_twice_for_nothing(db_for_threads: None) -> None:
    bot = User(username="bot")
    bot.set_unusable_password()
    bot.save()
    SessionToken.mint(bot)
    bot.save()
    assert bot.tokens_valid_after is None
    assert SessionToken.objects.valid().count() == 1


def test_the_moment_alone_counts_too(alice: User) -> None:
    """Whoever sets it in SQL has signed everybody out."""
    SessionToken.mint(alice)
    TokenFamily.open(alice)
    User.objects.update(tokens_valid_after=timezone.now())
    assert not SessionToken.objects.valid().exists()
    assert not TokenFamily.objects.valid().exists()
    assert SessionToken.objects.get().status == TokenFamily.objects.get().status == "the password was changed"


def test_a_change_that_is_saved_only_later_counts_when_it_is_saved(alice: User) -> None:
    token, _ = SessionToken.mint(alice)
    alice.set_password("another horse")
    alice.save(update_fields=["email"])
    assert SessionToken.objects.valid().filter(pk=token.pk).exists()
    alice.save()
    assert not SessionToken.objects.valid().filter(pk=token.pk).exists()
