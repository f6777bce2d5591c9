"""`manage.py createkey` and `manage.py revoke`, as an operator types them."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from sessions_app import tokens
from sessions_app.durations import parse_duration
from sessions_app.management.commands.createkey import lifetime
from sessions_app.models import ApiKey, RefreshToken, SessionToken, TokenFamily, User
from tests.conftest import key_for

KEY = re.compile(r"\bcgk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b")
ECHO = "tools_app.call_echo"


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def createkey(*arguments: Any) -> ApiKey:
    """The key that was made, found by what was printed."""
    token = tokens.parse(run("createkey", *arguments, "--quiet").strip())
    assert token is not None
    return ApiKey.objects.by_token(token).get()


# --- createkey ---


def test_it_prints_the_key_once_with_its_owner_and_its_end(alice: User) -> None:
    printed = run("createkey", "alice", "--name", "laptop")
    [value] = KEY.findall(printed)
    key = alice.api_keys.get()
    assert key.name == "laptop"
    assert printed.startswith(f"API key {key.prefix} for alice, valid until {key.expires_at:%Y-%m-%d %H:%M} UTC.")
    assert value.startswith(f"{key.prefix}_")
    assert tokens.parse(value) is not None


def test_quiet_prints_the_key_alone(alice: User) -> None:
    printed = run("createkey", "alice", "--name", "laptop", "--quiet")
    assert KEY.fullmatch(printed.removesuffix("\n"))


def test_a_key_is_not_narrowed_and_lives_ninety_days_unless_told(alice: User) -> None:
    key = createkey("alice", "--name", "laptop")
    assert key.user == alice
    assert key.scopes is None
    assert key.expires_at == key.created_at + timedelta(days=90)


@pytest.mark.parametrize(
    ("typed", "length"),
    [("30m", timedelta(minutes=30)), ("12h", timedelta(hours=12)), ("1d", timedelta(1)), ("52w", timedelta(364))],
)
def test_it_expires_when_told(alice: User, typed: str, length: timedelta) -> None:
    key = createkey("alice", "--name", "laptop", "--expires", typed)
    assert key.expires_at == key.created_at + length


def test_never_is_said_as_such(alice: User) -> None:
    printed = run("createkey", "alice", "--name", "laptop", "--expires", "never")
    assert "valid without end" in printed
    assert alice.api_keys.get().expires_at is None


@pytest.mark.parametrize(
    "typed", ["", "0d", "-1d", "1.5d", "90", "d", "90 d", "90D", "1y", "123456d", "٣d", "1d1h", "Never"]
)
def test_a_length_of_time_that_is_none_is_refused(alice: User, typed: str) -> None:
    with pytest.raises(CommandError, match="write 30m, 12h, 90d or 52w, or never"):
        run("createkey", "alice", "--name", "laptop", f"--expires={typed}")
    assert not alice.api_keys.exists()


def test_scopes_are_kept_with_the_app_that_has_them(alice: User) -> None:
    key = createkey("alice", "--name", "bot", "--scope", "call_order", "--scope", ECHO)
    assert key.scopes == [ECHO, "tools_app.call_order"]


def test_a_scope_that_does_not_exist_is_refused(alice: User) -> None:
    for typed in ("call_nothing", "elsewhere.call_echo", "", ".", "tools_app."):
        with pytest.raises(CommandError, match="There is no permission"):
            run("createkey", "alice", "--name", "bot", "--scope", typed)
    assert not alice.api_keys.exists()


def test_a_scope_of_several_apps_has_to_say_which(alice: User) -> None:
    other = Permission.objects.get(codename="view_user").content_type
    twin = Permission.objects.create(content_type=other, codename="call_echo", name="Not the same")
    try:
        with pytest.raises(CommandError, match=r"say which: sessions_app\.call_echo, tools_app\.call_echo"):
            run("createkey", "alice", "--name", "bot", "--scope", "call_echo")
        assert createkey("alice", "--name", "bot", "--scope", ECHO).scopes == [ECHO]
    finally:
        twin.delete()


def test_nobody_is_made_by_a_typing_error(alice: User) -> None:
    with pytest.raises(CommandError, match=r"There is no user 'alcie'\. Add --create-user"):
        run("createkey", "alcie", "--name", "laptop")
    assert [user.username for user in User.objects.all()] == ["alice"]


@pytest.mark.usefixtures("db_for_threads")
def test_a_member_who_cannot_sign_in_is_made_on_request() -> None:
    key = createkey("nightly-bot", "--name", "cron", "--create-user")
    assert [group.name for group in key.user.groups.all()] == ["Members"]
    assert not key.user.has_usable_password()
    assert not key.user.is_staff
    assert not key.user.is_superuser
    assert key.principal().may(ECHO)


def test_create_user_leaves_one_who_exists_as_she_is(alice: User) -> None:
    password = alice.password
    createkey("alice", "--name", "laptop", "--create-user")
    alice.refresh_from_db()
    assert alice.password == password
    assert User.objects.count() == 1


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize("typed", ["", "a b", "a/b", "x" * 151, "\u202ebot"])
def test_a_username_that_is_none_is_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(CommandError):
        run("createkey", typed, "--name", "cron", "--create-user")
    assert not User.objects.exists()


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize("options", [["--name", "cron", "--scope", "call_nothing"], ["--name", "x" * 101]])
def test_a_user_is_not_made_if_the_key_is_not(options: list[str]) -> None:
    with pytest.raises(CommandError):
        run("createkey", "nightly-bot", "--create-user", *options)
    assert not User.objects.exists()


def test_an_inactive_user_gets_no_key(alice: User) -> None:
    User.objects.update(is_active=False)
    for options in ([], ["--create-user"]):
        with pytest.raises(CommandError, match="alice is not active"):
            run("createkey", "alice", "--name", "laptop", *options)
    assert not alice.api_keys.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_key_has_a_name_that_fits(alice: User, name: str) -> None:
    with pytest.raises(CommandError, match="name"):
        run("createkey", "alice", f"--name={name}")
    assert not alice.api_keys.exists()


def test_a_key_without_a_name_is_refused(alice: User) -> None:
    with pytest.raises(CommandError, match="--name"):
        run("createkey", "alice")


# --- createtoken ---


def test_a_token_is_printed_once_with_its_owner_and_its_ends(alice: User) -> None:
    printed = run("createtoken", "alice", "--name", "phone")
    token = alice.session_tokens.get()
    assert printed.startswith(
        f"Session token {token.prefix} for alice, valid until {token.expires_at:%Y-%m-%d %H:%M}"
    )
    assert len(re.findall(r"\bcgs_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\b", printed)) == 1
    assert (token.name, token.scopes) == ("phone", None)
    assert token.expires_at - token.created_at == timedelta(days=14)
    assert token.idle_lifetime == timedelta(hours=24)


def test_a_token_is_as_long_and_as_narrow_as_told(alice: User) -> None:
    run("createtoken", "alice", "--expires", "8w", "--idle", "7d", "--scope", "call_echo", "--quiet")
    token = alice.session_tokens.get()
    assert token.expires_at - token.created_at == timedelta(weeks=8)
    assert token.idle_expires_at - token.created_at == timedelta(days=7)
    assert token.scopes == [ECHO]


def test_a_quiet_token_is_alone(alice: User) -> None:
    printed = run("createtoken", "alice", "--quiet").removesuffix("\n")
    token = tokens.parse(printed)
    assert token is not None
    assert SessionToken.objects.by_token(token).get().user == alice


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["alcie"], "There is no user 'alcie'"),
        (["alice", "--scope", "call_nothing"], "There is no permission 'call_nothing'"),
        (["alice", "--name", "x" * 101], "at most 100 characters"),
        (["alice", "--idle", "1m"], "at least 5 minutes"),
        (["alice", "--expires", "never"], "is not a length of time"),
        (["alice", "--expires", "1y"], "is not a length of time"),
    ],
)
def test_a_token_that_cannot_be_is_refused_in_a_sentence(
    alice: User, arguments: list[str], complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        run("createtoken", *arguments)
    assert not SessionToken.objects.exists()


# --- revoke ---


def test_a_key_is_revoked_by_the_prefix_that_lists_show(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    other, _ = ApiKey.mint(alice, "phone")
    before = timezone.now()
    assert run("revoke", key.prefix) == f"Revoked laptop ({key.prefix}…{key.last_four}) of alice.\n"
    key.refresh_from_db()
    other.refresh_from_db()
    assert key.revoked_at is not None
    assert key.revoked_at >= before
    assert other.revoked_at is None


def test_the_bare_public_id_and_a_whole_key_do_too(alice: User) -> None:
    by_id, _ = ApiKey.mint(alice, "laptop")
    by_whole, token = ApiKey.mint(alice, "phone")
    run("revoke", by_id.public_id)
    printed = run("revoke", token.value)
    assert not ApiKey.objects.filter(revoked_at=None).exists()
    assert not KEY.search(printed)
    assert by_whole.prefix in printed


def test_a_key_is_revoked_once(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    run("revoke", key.prefix)
    key.refresh_from_db()
    with pytest.raises(
        CommandError, match=rf"of alice was revoked already, on {key.revoked_at:%Y-%m-%d %H:%M} UTC"
    ):
        run("revoke", key.prefix)
    first = key.revoked_at
    key.refresh_from_db()
    assert key.revoked_at == first


UNKNOWN = [
    "", "cgk_", "cgs_", "cgf_", "cgr_", "cgk", "unknown", "cgk_AAAAAAAAAAAA", "cgs_AAAAAAAAAAAA",
    "cgf_AAAAAAAAAAAA", "_", "%", "alice", "cgr_AAAAAAAAAAAA_x", "a.b.c",
]  # fmt: skip


@pytest.mark.parametrize("typed", UNKNOWN)
def test_what_is_no_key_is_refused(alice: User, typed: str) -> None:
    ApiKey.mint(alice, "laptop")
    SessionToken.mint(alice)
    TokenFamily.open(alice)
    with pytest.raises(
        CommandError, match=r"^There is no API key, session token or token family with that prefix\.$"
    ):
        run("revoke", typed)
    for model in (ApiKey, SessionToken, TokenFamily):
        assert not model.objects.exclude(revoked_at=None).exists()


@pytest.mark.parametrize("whole", [False, True])
def test_every_kind_is_revoked_by_its_prefix_or_by_what_leaked(alice: User, whole: bool) -> None:
    key, secret = ApiKey.mint(alice, "laptop")
    token, token_secret = SessionToken.mint(alice, "phone")
    family, first = TokenFamily.open(alice)
    _, second = RefreshToken.objects.redeem(first.value)
    for row, shown in ((key, secret), (token, token_secret), (family, second)):
        printed = run("revoke", shown.value if whole else row.prefix, "--reason", "lost in a taxi")
        assert printed == f"Revoked {row} of alice.\n"
        row.refresh_from_db()
        assert row.revoked_reason == "with manage.py revoke: lost in a taxi"
        assert not type(row).objects.valid().exists()


def test_a_used_refresh_token_that_leaked_names_its_family(alice: User) -> None:
    family, first = TokenFamily.open(alice)
    RefreshToken.objects.redeem(first.value)
    assert run("revoke", first.value) == f"Revoked {family} of alice.\n"


def test_a_reason_is_not_needed(alice: User) -> None:
    key, _ = ApiKey.mint(alice, "laptop")
    run("revoke", key.prefix)
    key.refresh_from_db()
    assert key.revoked_reason == "with manage.py revoke"


def test_a_whole_key_of_another_server_is_not_repeated(alice: User) -> None:
    elsewhere = key_for(alice)
    ApiKey.objects.all().delete()
    with pytest.raises(CommandError) as caught:
        run("revoke", elsewhere)
    assert not KEY.search(str(caught.value))


# --- Lengths of time ---


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("1m", timedelta(minutes=1)),
        ("24h", timedelta(1)),
        ("7d", timedelta(7)),
        ("99999w", timedelta(weeks=99999)),
    ],
)
def test_a_length_of_time_reads_as_it_is_typed(text: str, length: timedelta) -> None:
    assert parse_duration(text) == lifetime(text) == length


def test_a_length_of_time_says_what_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"'1y' is not a length of time; write 30m, 12h, 90d or 52w$"):
        parse_duration("1y")
    with pytest.raises(ArgumentTypeError, match=r"or never$"):
        lifetime("1y")
    assert lifetime("never") is None
