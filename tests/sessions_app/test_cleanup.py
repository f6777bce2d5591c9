"""`manage.py cleanup`: what is past its time goes, in batches, while others are at work; the rest stays."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session as SignIn
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules

from collab_app.models import Attendance, Membership, Message, Room, SharedState
from project.config import BASE_DIR
from sessions_app import chores
from sessions_app.chores import Chore, delete
from sessions_app.management.commands import cleanup
from sessions_app.models import (
    ApiKey,
    FamiliarNetwork,
    RefreshToken,
    RefusalHour,
    RevokedToken,
    ServerRequest,
    Session,
    SessionToken,
    Subscription,
    TokenFamily,
    User,
    WebSocketTicket,
    Worker,
)
from sessions_app.models.session_lifetime import IDLE_LIFETIME, LIFETIME
from tests.collab_app.rooms import past
from tests.conftest import key_for
from tools_app.models import Confirmation, HourOfName, HourOfUser, ToolCall

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def sign_ins(db_for_threads: None) -> Iterator[None]:
    """To the admin. They are nobody's, so they do not go with the users of a test."""
    SignIn.objects.all().delete()
    yield
    SignIn.objects.all().delete()


def run(*arguments: str) -> dict[str, int]:
    """What was printed of each chore."""
    out = StringIO()
    call_command("cleanup", *arguments, stdout=out)
    lines = [line.split(": ") for line in out.getvalue().splitlines() if ": " in line]
    return {name: int(count) for name, count in lines}


def session(user: User, **details: Any) -> Session:
    defaults = {"credential": "api-key:1", "label": "laptop", "transport": "http"}
    return Session.objects.create(user=user, **{**defaults, "protocol_version": "2025-11-25", **details})


def ago(length: timedelta) -> Any:
    return timezone.now() - length


def ended(user: User, since: timedelta, **details: Any) -> Session:
    past = dict.fromkeys(("opened_at", "last_activity_at", "ended_at"), ago(since))
    return session(user, **past, end_reason="by the client", **details)


def left(user: User, since: timedelta = IDLE_LIFETIME + HOUR, **details: Any) -> Session:
    """Its client has not been seen since."""
    return session(user, opened_at=ago(since), last_activity_at=ago(since), **details)


def call(started_at: Any) -> ToolCall:
    return ToolCall.objects.create(
        name="echo", outcome="ok", user_id=1, username="alice", credential="api-key:1", session_id=1,
        started_at=started_at, duration_ms=1,
    )  # fmt: skip


def everything() -> list[Any]:
    models = (
        Session, ServerRequest, Subscription, SignIn, ToolCall, HourOfName, HourOfUser,
        RefusalHour, Worker,
        SessionToken, TokenFamily, RefreshToken, RevokedToken, FamiliarNetwork, WebSocketTicket, Confirmation,
        Room, Membership, Message, SharedState, Attendance,
    )  # fmt: skip
    return [row for model in models for row in model._base_manager.order_by("pk").values()]


def one_of_each(user: User) -> None:
    """Something for every chore."""
    over = left(user, calls=1)
    over.subscriptions.create(uri="shop://orders")
    over.server_requests.create(method="elicitation/create", expires_at=ago(HOUR))
    left(user)
    ended(user, 31 * DAY, calls=1)
    SignIn.objects.create(session_key="old", session_data="", expire_date=ago(HOUR))
    call(ago(91 * DAY))
    HourOfName.objects.create(hour=ago(91 * DAY), kind="tool", name="echo", ok=1)
    HourOfUser.objects.create(hour=ago(91 * DAY), user_id=1, calls=1)
    RefusalHour.objects.create(hour=ago(91 * DAY), reason="too-slow", count=1)
    Worker.objects.create(instance="killed", host="web-1", pid=7, started_at=ago(HOUR), seen_at=ago(HOUR))
    for since in (HOUR, 31 * DAY):
        aged = {"created_at": ago(2 * since), "expires_at": ago(since)}
        SessionToken.objects.filter(pk=SessionToken.mint(user)[0].pk).update(**aged)
        TokenFamily.objects.filter(pk=TokenFamily.open(user)[0].pk).update(**aged)
    Confirmation.objects.create(caller="1/api-key:1", about="nothing", expires_at=ago(HOUR))
    ticket, _ = WebSocketTicket.mint(ApiKey.mint(user, "page")[0].principal())
    WebSocketTicket.objects.filter(pk=ticket.pk).update(expires_at=ago(HOUR))
    RevokedToken.objects.revoke("https://mcp.example", "over", ago(MINUTE))
    user.familiar_networks.create(network="10.0.0.7/32", seen_at=ago(90 * DAY))
    past(user)
    Room.objects.start(user, "Empty").memberships.all().delete()
    Room.objects.filter(pk=Room.objects.start(user, "Idle").pk).update(active_at=ago(91 * DAY))


# --- What goes, and what stays ---


def test_a_session_that_the_clock_ended_is_said_to_have_ended(alice: User) -> None:
    idle = left(alice, calls=1)
    aged = session(alice, opened_at=ago(LIFETIME), expires_at=ago(MINUTE), calls=1)
    assert run()["expired sessions, now ended"] == 2
    for row in (idle, aged):
        row.refresh_from_db()
        assert row.end_reason == "expired"
        assert row.ended_at is not None
        assert row.ended_at > ago(MINUTE)


def test_live_sessions_stay_as_they_are_with_all_that_is_theirs(alice: User) -> None:
    for details in ({"calls": 0}, {"calls": 3}, {"protocol_version": "2026-07-28"}):
        row = session(alice, opened_at=ago(20 * DAY), last_activity_at=ago(IDLE_LIFETIME - HOUR), **details)
        row.subscribe("shop://orders")
        row.server_requests.create(method="elicitation/create")
    before = everything()
    assert set(run().values()) == {0}
    assert everything() == before


def test_a_session_that_made_calls_and_ended_yesterday_stays(alice: User) -> None:
    row = ended(alice, DAY, calls=1)
    before = everything()
    run()
    assert everything() == before
    row.refresh_from_db()
    assert row.end_reason == "by the client"


def test_a_session_that_ended_over_a_month_ago_goes(alice: User) -> None:
    ended(alice, 31 * DAY, calls=5)
    kept = ended(alice, 29 * DAY, calls=5)
    assert run()["sessions that ended 30 days ago"] == 1
    assert list(Session.objects.all()) == [kept]


def test_a_session_that_never_made_a_call_is_no_history(alice: User) -> None:
    ended(alice, HOUR)
    left(alice)
    aged = session(alice, expires_at=ago(HOUR))
    aged.subscriptions.create(uri="shop://orders")
    assert run()["sessions without a call"] == 3
    assert not Session.objects.exists()
    assert not Subscription.objects.exists()


def test_a_session_that_is_just_over_may_have_calls_that_are_not_counted_yet(alice: User) -> None:
    just_ended = ended(alice, MINUTE)
    just_left = left(alice, IDLE_LIFETIME + MINUTE)
    assert run()["sessions without a call"] == 0
    assert set(Session.objects.all()) == {just_ended, just_left}


def test_questions_go_when_nobody_can_wait_for_them_any_more(alice: User) -> None:
    row = session(alice)
    row.server_requests.create(method="elicitation/create", expires_at=ago(HOUR))
    row.server_requests.create(method="elicitation/create", expires_at=ago(HOUR), replied_at=ago(2 * HOUR))
    asked = row.server_requests.create(method="elicitation/create")
    replied = row.server_requests.create(method="elicitation/create", replied_at=timezone.now(), reply="{}")
    assert run()["questions that nobody waits for"] == 2
    assert set(ServerRequest.objects.all()) == {asked, replied}


def test_subscriptions_go_with_the_end_of_their_session(alice: User) -> None:
    live = session(alice)
    live.subscribe("shop://orders")
    for row in (ended(alice, MINUTE, calls=1), left(alice, calls=1)):
        row.subscriptions.create(uri="shop://orders")
    assert run()["subscriptions of sessions that are over"] == 2
    assert [subscription.session for subscription in Subscription.objects.all()] == [live]


@pytest.mark.usefixtures("sign_ins")
def test_expired_sign_ins_go_and_others_do_not() -> None:
    for name, moment in (("old", ago(MINUTE)), ("new", timezone.now() + DAY)):
        SignIn.objects.create(session_key=name, session_data="", expire_date=moment)
    assert run()["expired sign-ins to the admin"] == 1
    assert SignIn.objects.get().session_key == "new"


@pytest.mark.usefixtures("db_for_threads")
def test_the_record_goes_back_ninety_days() -> None:
    call(ago(91 * DAY))
    kept = call(ago(89 * DAY))
    assert run()["old records of calls"] == 1
    assert list(ToolCall.objects.all()) == [kept]


@pytest.mark.usefixtures("sign_ins")
def test_the_second_time_there_is_nothing_left_to_do(alice: User) -> None:
    one_of_each(alice)
    assert set(run().values()) == {1, 2}  # two had expired, and one of them went
    assert set(run().values()) == {0}


# --- A dry run ---


@pytest.mark.usefixtures("sign_ins")
def test_a_dry_run_says_what_would_go_and_changes_nothing(alice: User) -> None:
    one_of_each(alice)
    before = everything()
    said = run("--dry-run")
    assert everything() == before
    assert all(said.values())
    assert said == run()
    assert everything() != before


def test_a_dry_run_says_that_it_is_one(alice: User) -> None:
    out = StringIO()
    call_command("cleanup", "--dry-run", stdout=out)
    first, *others = out.getvalue().splitlines()
    assert first == "This is what would go. Nothing is changed."
    assert "expired sessions, now ended: 0" in others


@pytest.mark.usefixtures("sign_ins")
def test_a_dry_run_writes_nothing(alice: User) -> None:
    one_of_each(alice)
    with CaptureQueriesContext(connection) as queries:
        run("--dry-run")
    assert queries.captured_queries
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


# --- In batches, while others are at work ---


def open_and_leave(user: User, number: int) -> None:
    since = ago(IDLE_LIFETIME + HOUR)
    Session.objects.bulk_create(
        Session(
            user=user, credential="api-key:1", label="left", transport="http", protocol_version="2025-11-25",
            opened_at=since, last_activity_at=since,
        )
        for _ in range(number)
    )  # fmt: skip


def test_ten_thousand_sessions_that_were_left_are_gone_while_others_are_opened(alice: User) -> None:
    open_and_leave(alice, 10_000)
    is_done, slowest, opened, failed = threading.Event(), [0.0], Counter[str](), list[Exception]()

    def keep_opening() -> None:
        try:
            while not is_done.wait(0.005):
                begun = time.perf_counter()
                session(alice, label="new").subscribe("shop://orders")
                slowest[0] = max(slowest[0], time.perf_counter() - begun)
                opened["new"] += 1
        except Exception as error:  # noqa: BLE001 (told to the test)
            failed.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=keep_opening)
    other.start()
    begun = time.monotonic()
    try:
        said = run()
    finally:
        is_done.set()
        other.join()
    assert time.monotonic() - begun < 60  # two to four seconds on a quiet machine
    assert failed == []
    assert slowest[0] < 5  # no lock is held for long
    assert said["sessions without a call"] == said["expired sessions, now ended"] == 10_000
    assert opened["new"] > 0
    assert Session.objects.live().count() == Session.objects.count() == opened["new"]
    assert Subscription.objects.count() == opened["new"]


def test_no_transaction_is_for_more_than_a_thousand_rows(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chores.BATCH == 1000
    monkeypatch.setattr(chores, "BATCH", 10)
    open_and_leave(alice, 25)
    sizes: list[int] = []

    def note(rows: QuerySet[Session]) -> None:
        assert connection.in_atomic_block
        sizes.append(rows.count())

    assert Chore("", Session.objects.expired, note).run() == 25
    assert sum(sizes) == 25
    assert max(sizes) <= 10
    assert run()["sessions without a call"] == 25


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others write meanwhile")
def test_where_one_writes_at_a_time_others_get_their_turn(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction is short, and a pause as long follows it."""
    pauses, clock = list[float](), [0.0]
    monkeypatch.setattr(chores, "monotonic", lambda: clock[0])
    monkeypatch.setattr(chores, "sleep", pauses.append)
    sizes: list[int] = []

    def slow(rows: QuerySet[Session]) -> None:
        sizes.append(rows.count())
        clock[0] += 0.001 * sizes[-1]  # a millisecond for each row

    open_and_leave(alice, 400)
    Chore("", Session.objects.expired, slow).run()
    assert sizes[0] == 100
    assert 45 <= max(sizes[1:]) <= 50
    assert pauses == pytest.approx([0.1, *[0.05] * len(sizes[1:])])


def test_two_at_once_do_each_thing_once(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "BATCH", 50)
    open_and_leave(alice, 1000)
    begin, said, failed = threading.Barrier(2), Counter[str](), list[BaseException]()

    def clean() -> None:
        try:
            begin.wait(10)
            said.update(run())
        except BaseException as error:  # noqa: BLE001 (told to the test)
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=clean) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    # What the other had locked was left to it: nothing is done twice, nothing is left.
    assert (said["expired sessions, now ended"], said["sessions without a call"]) == (1000, 1000)
    assert not Session.objects.exists()


def test_what_is_no_longer_due_under_the_lock_stays(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = left(alice)
    unused = Chore("", lambda: Session.objects.over().filter(calls=0), delete)
    find = Chore._after

    def find_and_be_overtaken(chore: Chore, *args: Any) -> list[Any]:
        found = find(chore, *args)
        Session.count({idle.pk: (1, 0, 1.0)})
        return found

    monkeypatch.setattr(Chore, "_after", find_and_be_overtaken)
    assert unused.run() == 0
    assert Session.objects.get() == idle


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks the whole database")
def test_a_row_that_somebody_is_busy_with_is_not_waited_for(alice: User) -> None:
    busy, other = left(alice), left(alice)
    locked, is_done = threading.Event(), threading.Event()

    def be_busy() -> None:
        try:
            with transaction.atomic():
                Session.objects.select_for_update().get(pk=busy.pk)
                locked.set()
                is_done.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=be_busy)
    thread.start()
    assert locked.wait(10)
    try:
        assert run()["sessions without a call"] == 1
    finally:
        is_done.set()
        thread.join()
    assert list(Session.objects.all()) == [busy]
    assert not Session.objects.filter(pk=other.pk).exists()
    assert run()["sessions without a call"] == 1


# --- Failures ---


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The database fails at the first chore, as often as there are entries."""
    failures = ["database is locked"]

    def due() -> QuerySet[Session]:
        if failures:
            raise OperationalError(failures.pop())
        return Session.objects.none()

    monkeypatch.setattr(cleanup, "chores", [Chore("failing", due, delete), *chores.chores])
    return failures


def test_one_chore_that_fails_does_not_keep_the_others_from_being_done(
    alice: User, failing: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    left(alice)
    with pytest.raises(CommandError, match="Not everything could be done; the log above says why"):
        run()
    assert not Session.objects.exists()
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [
        "Cleaning up stopped at failing: database is locked"
    ]


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pauses of `--every`, none of which is waited for; Ctrl-C comes in the third."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", pause)
    before = signal.getsignal(signal.SIGTERM)
    yield pauses
    signal.signal(signal.SIGTERM, before)


def test_a_failure_in_one_round_does_not_end_the_next(
    alice: User, failing: list[str], rounds: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    left(alice)
    out = StringIO()
    call_command("cleanup", "--every", "5m", stdout=out)
    assert rounds == [300, 300, 300]
    assert out.getvalue().count("failing: 0") == 2
    assert out.getvalue().count("sessions without a call: 1") == 1
    assert "database is locked" in caplog.text
    assert not Session.objects.exists()


# --- Again and again ---


@pytest.mark.parametrize("text", ["", "0m", "5", "5s", "often", "-5m"])
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="is not a length of time; write 30m, 12h, 90d or 52w"):
        call_command("cleanup", f"--every={text}")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_who_watches_sees_how_far_it_is(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "BATCH", 10)
    open_and_leave(alice, 15)
    terminal, pipe = Terminal(), StringIO()
    call_command("cleanup", stdout=terminal)
    assert "sessions without a call: 15 …\r" in terminal.getvalue()
    assert "\rsessions without a call: 15\n" in terminal.getvalue()
    open_and_leave(alice, 15)
    call_command("cleanup", stdout=pipe)
    assert "\r" not in pipe.getvalue()


@pytest.mark.process
def test_it_ends_at_once_and_cleanly_when_told_to(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    environ |= {"CONCIERGE_DATA_DIR": str(tmp_path / "data"), "DJANGO_SETTINGS_MODULE": "project.settings"}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity=0"], cwd=BASE_DIR, env=environ, check=True)
    autodiscover_modules("cleanup")  # as the command does: it prints a line for each chore, and then waits
    for stop in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(
            [*manage, "cleanup", "--every", "1h"],
            cwd=BASE_DIR, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in chores.chores]
            assert "expired sessions, now ended: 0\n" in lines
            process.send_signal(stop)
            begun = time.monotonic()
            rest, errors = process.communicate(timeout=20)
        assert (process.returncode, rest, errors) == (0, "", "")
        assert time.monotonic() - begun < 5


def test_tokens_stay_for_a_month_after_their_end_and_used_refresh_tokens_until_it(alice: User) -> None:
    """Whoever shows a used one of a family that goes on has to be recognised."""
    going_on, token = TokenFamily.open(alice)
    RefreshToken.objects.redeem(token.value)
    valid, _ = SessionToken.mint(alice)
    lately, _ = SessionToken.mint(alice)
    revoked, _ = TokenFamily.open(alice)
    lately.revoke()
    revoked.revoke()
    run()
    assert set(SessionToken.objects.all()) == {valid, lately}
    assert set(TokenFamily.objects.all()) == {going_on, revoked}
    assert set(RefreshToken.objects.values_list("family", flat=True)) == {going_on.pk}
    assert RefreshToken.objects.count() == 2
    for rows in (SessionToken.objects, TokenFamily.objects):
        rows.exclude(revoked_at=None).update(revoked_at=ago(31 * DAY))
    run()
    assert set(SessionToken.objects.all()) == {valid}
    assert set(TokenFamily.objects.all()) == {going_on}


def test_a_session_token_that_was_left_idle_a_month_ago_goes(alice: User) -> None:
    left, _ = SessionToken.mint(alice, lifetime=90 * DAY)
    SessionToken.objects.filter(pk=left.pk).update(idle_expires_at=ago(31 * DAY))
    assert run()["session tokens that ended 30 days ago"] == 1


def test_a_revoked_jwt_is_remembered_until_it_has_expired(alice: User) -> None:
    RevokedToken.objects.revoke("https://mcp.example", "over", ago(MINUTE))
    RevokedToken.objects.revoke("https://mcp.example", "not yet", timezone.now() + MINUTE)
    assert run()["revoked JWTs that have expired"] == 1
    assert RevokedToken.objects.get().jti == "not yet"


def test_a_key_is_never_cleaned_up(alice: User) -> None:
    """It is who somebody was in the record."""
    key_for(alice, lifetime=timedelta(minutes=1))
    alice.api_keys.update(expires_at=ago(400 * DAY), revoked_at=ago(400 * DAY))
    run()
    assert alice.api_keys.count() == 1
