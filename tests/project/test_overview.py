"""The operator's home, as data: right, in a few queries, and of parts that fail alone."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from project.pages import near_limits as near_module
from project.pages import overview as module
from project.pages import states as states_module
from project.pages.overview import BusyName, BusyUser, Count, Overview
from project.pages.states import ALONE
from sessions_app.hours import HOUR, this_hour
from sessions_app.limits import CALLS, Bucket
from sessions_app.models import ApiKey, RefusalHour, Session, User, Worker
from sessions_app.state import state
from sessions_app.state.redis import RedisState
from tests.conftest import key_for, make_user
from tests.redis_server import RedisServer, redis_server
from tools_app.models import HourOfName, HourOfUser, ToolPolicy

from .test_health import broken_database, missing_migration, use_redis

MOST_QUERIES = 20
DAY = timedelta(days=1)


def called(hours: int = 0, name: str = "echo", kind: str = "tool", **counts: int) -> HourOfName:
    """So many hours ago."""
    return HourOfName.objects.create(hour=this_hour() - hours * HOUR, kind=kind, name=name, **counts)


def by(user_id: int, calls: int, hours: int = 0, errors: int = 0) -> HourOfUser:
    return HourOfUser.objects.create(hour=this_hour() - hours * HOUR, user_id=user_id, calls=calls, errors=errors)


def worker(instance: str, **details: Any) -> Worker:
    now = timezone.now()
    usual = {"host": "web-1", "pid": 7, "version": "0.1.0", "started_at": now, "seen_at": now}
    return Worker.objects.create(**{**usual, "instance": instance, **details})


def session(user: User, number: int, **details: Any) -> Session:
    usual = {"credential": f"api-key:{number}", "label": "laptop", "transport": "http"}
    return Session.objects.create(user=user, **{**usual, "protocol_version": "2026-07-28", **details})


def state_of(overview: Overview, name: str) -> Any:
    [found] = [state for state in overview.states if state.name == name]
    return found


# --- Calls ---


@pytest.mark.usefixtures("db_for_threads")
def test_it_has_an_entry_for_each_of_the_last_24_hours_also_for_the_quiet_ones() -> None:
    called(0, ok=3, within_10=3)
    called(0, "brief", ok=1, timeout=2, within_100=3)
    called(23, ok=5, crashed=1, within_1=6)
    called(24, ok=1000, within_1=1000)
    calls = Overview.now().calls
    assert calls is not None
    assert [hour.began_at for hour in calls.hours] == [this_hour() - ago * HOUR for ago in range(23, -1, -1)]
    assert [(hour.calls, hour.errors) for hour in calls.hours] == [(6, 1), *[(0, 0)] * 22, (6, 2)]
    assert (calls.calls, calls.errors) == (12, 3)
    assert calls.outcomes == {"OK": 9, "Timed out": 2, "Crashed": 1}


@pytest.mark.usefixtures("db_for_threads")
def test_how_long_calls_took_is_told_of_the_day_and_of_this_hour() -> None:
    called(0, ok=100, within_10=100)
    called(5, ok=100, within_1000=100)
    calls = Overview.now().calls
    assert calls is not None
    assert calls.p95_of_this_hour_ms == pytest.approx(9.75)
    assert calls.p95_ms == pytest.approx(950)
    assert calls.hours[0].p95_ms is None


@pytest.mark.usefixtures("db_for_threads")
def test_a_house_that_nobody_has_called_yet() -> None:
    overview = Overview.now()
    assert overview.calls is not None
    assert (overview.calls.calls, overview.calls.p95_ms, overview.calls.outcomes) == (0, None, {})
    assert (overview.names, overview.refused, overview.near_limits, overview.workers) == ([], [], [], [])
    assert str(overview.sessions) == "0"


@pytest.mark.usefixtures("db_for_threads")
def test_the_ten_names_that_are_called_most() -> None:
    for number in range(12):
        called(1, f"tool-{number}", ok=number)
    called(2, "tool-11", error=4, within_2=4)
    names = Overview.now().names
    assert names is not None
    assert [name.name for name in names] == [f"tool-{number}" for number in range(11, 1, -1)]
    assert names[0].p95_ms == pytest.approx(1.95)
    assert names[0] == BusyName("tool", "tool-11", 15, 4, names[0].p95_ms)


def test_the_ten_users_who_call_most_by_the_names_that_they_have_now(alice: User) -> None:
    by(alice.pk, 5)
    by(alice.pk, 6, hours=3, errors=2)
    by(alice.pk, 1000, hours=24)
    by(HourOfUser.GUESTS, 10)
    by(999_999, 9)
    for number in range(12):
        by(1_000_000 + number, 1)
    users = Overview.now().users
    assert users is not None
    assert (len(users.users), users.hours) == (10, 24)
    assert users.users[:3] == [
        BusyUser(alice.pk, "alice", 11, 2),
        BusyUser(0, "guests", 10, 0),
        BusyUser(999_999, None, 9, 0),
    ]


@pytest.mark.usefixtures("db_for_threads")
def test_where_too_many_users_call_it_is_those_of_this_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HOURS_OF_USERS", 3)
    for number in range(3):
        by(1_000 + number, 100, hours=1)
    by(7, 1)
    users = Overview.now().users
    assert users is not None
    assert (users.hours, [user.user_id for user in users.users]) == (1, [7])


# --- What is there now ---


def test_sessions_that_are_live_and_what_workers_hold(alice: User) -> None:
    now = timezone.now()
    session(alice, 1)
    session(alice, 2, ended_at=now)
    session(alice, 3, expires_at=now)
    session(alice, 4, transport="websocket", last_activity_at=now - HOUR)
    worker("one", sockets=3)
    worker("two", pid=8, sockets=4)
    worker("killed", sockets=100, seen_at=now - timedelta(seconds=16))
    overview = Overview.now()
    assert overview.sessions == Count(1)
    assert overview.sockets == 7
    assert overview.workers is not None
    assert [str(worker) for worker in overview.workers] == ["web-1:7", "web-1:8"]
    assert state_of(overview, "Workers").value == "web-1:7, web-1:8"


def test_what_is_too_many_is_not_counted_to_the_end(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        session(alice, number)
    monkeypatch.setattr(module, "MOST_COUNTED", 3)
    assert str(Count.of(Session.objects.live())) == "3"
    monkeypatch.setattr(module, "MOST_COUNTED", 2)
    assert str(Count.of(Session.objects.live())) == "more than 2"
    assert str(Count(10_000, is_more=True)) == "more than 10\u202f000"


@pytest.mark.usefixtures("db_for_threads")
def test_refusals_of_a_day_by_their_reason() -> None:
    for reason, hours, count in (("limit:guest", 0, 2), ("too-slow", 3, 5), ("limit:guest", 9, 4)):
        RefusalHour.objects.create(hour=this_hour() - hours * HOUR, reason=reason, count=count)
    RefusalHour.objects.create(hour=this_hour() - 24 * HOUR, reason="too-slow", count=100)
    told = Overview.now().refused
    assert told is not None
    assert [(refused.words, refused.count) for refused in told] == [
        ("Too often (limit guest)", 6),
        ("Too slow", 5),
    ]


def test_keys_that_expire_within_a_week_the_first_one_first(alice: User) -> None:
    for days in (8, 6, -1, *range(1, 6), *[3] * 5):
        ApiKey.mint(alice, f"in {days} days", lifetime=days * DAY)
    ApiKey.mint(alice, "for ever", lifetime=None)
    ApiKey.mint(alice, "revoked", lifetime=2 * DAY)[0].revoke()
    expiring = Overview.now().expiring
    assert expiring is not None
    assert expiring.count == Count(11)
    assert len(expiring.keys) == 10
    assert [key.name for key in expiring.keys[:3]] == ["in 1 days", "in 2 days", "in 3 days"]


# --- Limits ---


def use(bucket: Bucket, times: int) -> None:
    for _ in range(times):
        assert state.take([bucket]).refused is None


def test_who_has_used_up_four_fifths_of_a_limit(alice: User, bob: User) -> None:
    by(alice.pk, 1)
    by(bob.pk, 1, hours=1)
    ToolPolicy.objects.create(tool="echo", rate="10/h")
    for user in (alice, bob):
        key, _ = ApiKey.mint(user, "laptop", rate="10/m")
        key.note_use()
        use(Bucket(key.own_limit(), key.credential), 8 if user == alice else 7)
    [echo] = [bucket for bucket, who in near_module.buckets_of({bob.pk: "bob"}) if who == "bob (echo)"]
    use(echo, 9)
    near = Overview.now().near_limits
    assert near is not None
    assert [(limit.who, limit.used, limit.most, limit.rate) for limit in near] == [
        ("bob (echo)", 9, 10, "10/h"),
        ("alice (laptop)", 8, 10, "10/m"),
    ]
    assert 0 < near[1].resets_after <= 60


def test_the_limit_for_all_calls_of_a_user_counts_too(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    few = CALLS.at("5/m")
    monkeypatch.setattr(near_module, "CALLS", few)
    by(alice.pk, 1)
    use(Bucket(few, f"user:{alice.pk}"), 5)
    near = Overview.now().near_limits
    assert near is not None
    assert [(limit.who, limit.limit, limit.share) for limit in near] == [("alice", "calls", 1.0)]


def test_looking_counts_as_no_call(alice: User) -> None:
    by(alice.pk, 1)
    bucket = Bucket(CALLS, f"user:{alice.pk}")
    use(bucket, 1)
    for _ in range(3):
        Overview.now()
    assert state.usage_now([bucket])[0].remaining == CALLS.most - 1


# --- What it costs, and what is away ---


def test_it_takes_a_few_queries_however_much_there_is(alice: User, bob: User) -> None:
    counted = []
    for number in range(2):
        for user in (alice, bob) if number else (alice,):
            key_for(user)
            by(user.pk, 7, hours=number)
            called(number, f"{user}", ok=7)
            session(user, number)
            worker(f"{user}{number}")
        with CaptureQueriesContext(connection) as queries:
            overview = Overview.now()
        assert None not in (overview.calls, overview.names, overview.users, overview.near_limits)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= MOST_QUERIES


@pytest.mark.usefixtures("db_for_threads")
def test_without_its_database_it_says_so_and_nothing_breaks() -> None:
    with broken_database():
        overview = Overview.now()
    assert not state_of(overview, "Database").is_well
    assert "does not answer" in state_of(overview, "Database").value
    assert "hunter2" not in str(overview)
    assert (overview.calls, overview.sessions, overview.workers, overview.sockets) == (None, None, None, None)
    assert state_of(overview, "Migrations").value == "not known"


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize("part", ["calls", "busiest_names", "busiest_users", "refused", "expiring", "near_limits"])
def test_a_part_that_fails_fails_alone(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail() -> None:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(module, part, fail)
    overview = Overview.now()
    parts = {"busiest_names": "names", "busiest_users": "users"}
    missing = {name for name, value in vars(overview).items() if value is None}
    assert missing == {parts.get(part, part)}


@pytest.mark.usefixtures("db_for_threads")
def test_in_memory_it_says_that_there_is_one_process() -> None:
    overview = Overview.now()
    assert state_of(overview, "Redis").value == "not used"
    assert state_of(overview, "Channel layer").value == state_of(overview, "Cache").value == ALONE
    assert connection.display_name in state_of(overview, "Database").value


@pytest.mark.usefixtures("db_for_threads")
def test_it_says_what_is_still_to_be_migrated() -> None:
    assert state_of(Overview.now(), "Migrations").value == "all applied"
    with missing_migration():
        assert state_of(Overview.now(), "Migrations").value == "1 to be applied"


@pytest.fixture
def redis(db_for_threads: None) -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def shared(redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> RedisState:
    use_redis(settings, redis.url)
    settings.REDIS_URL = redis.url
    shared = RedisState(redis.url)
    monkeypatch.setattr(near_module, "state", shared)
    return shared


@pytest.mark.redis
def test_with_redis_limits_are_asked_there(shared: RedisState, alice: User) -> None:
    by(alice.pk, 1)
    key, _ = ApiKey.mint(alice, "laptop", rate="2/m")
    key.note_use()
    for _ in range(2):
        shared.take([Bucket(key.own_limit(), key.credential)])
    overview = Overview.now()
    assert state_of(overview, "Channel layer").value == "Redis"
    assert state_of(overview, "Redis").is_well
    assert overview.near_limits is not None
    assert [limit.who for limit in overview.near_limits] == ["alice (laptop)"]


@pytest.mark.redis
@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("way", ["kill", "pause"])
def test_a_redis_that_is_away_costs_half_a_second_and_nothing_else(redis: RedisServer, way: str) -> None:
    called(0, ok=3)
    make_user("dave")
    Overview.now()
    getattr(redis, way)()
    began = time.monotonic()
    overview = Overview.now()
    took = time.monotonic() - began
    if way == "pause":
        redis.go_on()
    assert took < 0.5
    assert not state_of(overview, "Redis").is_well
    assert not state_of(overview, "Channel layer").is_well
    assert overview.near_limits is None
    assert overview.calls is not None
    assert overview.calls.calls == 3


def test_migrations_are_read_from_disk_once() -> None:
    assert states_module.shipped_migrations() is states_module.shipped_migrations()
