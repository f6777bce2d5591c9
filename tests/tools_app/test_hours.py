"""Calls by the hour: added up while they are recorded, and always what the record itself would say."""

import random
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Any

import pytest
from django.db import DatabaseError, connections
from django.utils import timezone

from sessions_app.hours import HourQuerySet, hour_of
from sessions_app.models import Session, User
from sessions_app.pool import background_pool
from sessions_app.principal import Principal
from tests.clients import Client
from tests.tools_app.test_record import ENDINGS
from tests.wire import Wire
from tools_app import hourly, recorder
from tools_app.latency import BOUNDS, BUCKETS, bucket_of, percentile
from tools_app.models import HourOfName, HourOfUser, ToolCall
from tools_app.models.hour import OUTCOMES, UNKNOWN
from tools_app.recorder import Entry, Kind, Outcome

NAMES = ("echo", "brief", "crash", "no-such-tool", "nor-this")
HOUR = 3600.0


def entry(number: int = 1, name: str = "echo", **details: Any) -> Entry:
    """One finished call of user `number`."""
    who = Principal(number or None, f"user-{number}", f"api-key:{number}", "laptop", frozenset())
    usual = {"started": time.time(), "duration_ms": 3.0}
    return Entry(who, Session(pk=None), "1", None, Kind.TOOL, name, size=2, digest="", **{**usual, **details})


def some_entries(seed: int, most: int = 250) -> list[Entry]:
    """Of many names, users and outcomes, over three hours."""
    chance = random.Random(seed)
    now = time.time()
    return [
        entry(
            chance.randrange(6),
            chance.choice(NAMES),
            started=now - chance.random() * 3 * HOUR,
            duration_ms=chance.lognormvariate(2, 2),
            outcome=chance.choice(list(Outcome)),
        )
        for _ in range(most)
    ]


def hour_of_call(call: ToolCall) -> datetime:
    return hour_of(call.started_at.timestamp())


def by_the_record() -> tuple[Counter[Any], Counter[Any]]:
    """Calls for each hour, name and outcome, and for each hour and user, as its rows say."""
    calls = list(ToolCall.objects.all())
    known = hourly.known_names()
    names = (
        (hour_of_call(call), call.kind, call.name if call.name in known[call.kind] else UNKNOWN, call.outcome)
        for call in calls
    )
    return Counter(names), Counter((hour_of_call(call), call.user_id or 0) for call in calls)


def by_the_hours() -> tuple[Counter[Any], Counter[Any]]:
    names = {
        (row.hour, row.kind, row.name, outcome): count
        for row in HourOfName.objects.all()
        for outcome in OUTCOMES
        if (count := getattr(row, outcome))
    }
    return Counter(names), Counter({(row.hour, row.user_id): row.calls for row in HourOfUser.objects.all()})


@pytest.mark.parametrize("ending", ENDINGS)
async def test_they_count_what_is_recorded_on_every_way_that_a_call_can_take(
    wire: Wire, recorded: Any, ending: str
) -> None:
    method, params, _ = ENDINGS[ending]
    await wire.ask(method, params)
    await recorded()
    counted = await background_pool.run(by_the_hours)
    assert counted[0].total() == 1
    assert counted == await background_pool.run(by_the_record)


async def test_a_call_that_was_recorded_with_what_it_changed_is_counted_once(
    client: Client, recorded: Any
) -> None:
    await client.call("manage-preferences", {"action": "set", "key": "theme", "value": "dark"})
    await recorded()
    names, users = await background_pool.run(by_the_hours)
    assert (names.total(), users.total()) == (1, 1)


@pytest.mark.usefixtures("db_for_threads")
def test_whoever_makes_names_up_makes_no_rows() -> None:
    recorder.write([entry(1, f"made-up-{number}", outcome=Outcome.REFUSED) for number in range(100)])
    assert [(row.name, row.refused) for row in HourOfName.objects.all()] == [(UNKNOWN, 100)]


@pytest.mark.usefixtures("db_for_threads")
def test_guests_are_one_caller_however_many_addresses_they_have() -> None:
    recorder.write([entry(0), entry(0), entry(7)])
    assert dict(HourOfUser.objects.values_list("user_id", "calls")) == {HourOfUser.GUESTS: 2, 7: 1}


@pytest.mark.usefixtures("db_for_threads")
def test_two_who_write_at_once_lose_nothing_and_do_not_lock_each_other_out() -> None:
    begin, failed = threading.Barrier(2), list[BaseException | str]()

    def write(seed: int) -> None:
        try:
            begin.wait(10)
            for number in range(20):
                if recorder.write(some_entries(seed + number, 50)):
                    failed.append("not written")
        except BaseException as error:  # noqa: BLE001 (told to the test)
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(1000 * number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert ToolCall.objects.count() == 2000
    assert by_the_hours() == by_the_record()


@pytest.mark.usefixtures("db_for_threads")
def test_each_batch_adds_to_its_rows_in_one_order() -> None:
    rows: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "django.db.backends.utils.CursorWrapper.executemany",
            lambda cursor, sql, given: rows.append((sql.split()[2], [row[:2] for row in given])),
        )
        hourly.add(some_entries(1))
    assert [table for table, _ in rows] == ["tools_hour_of_name", "tools_hour_of_user"]
    assert all(keys == sorted(keys) for _, keys in rows)


@pytest.mark.usefixtures("db_for_threads")
def test_what_cannot_be_counted_is_not_recorded_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both or neither: else the two would drift apart."""

    def fail(entries: Any) -> None:
        raise DatabaseError("no room")

    monkeypatch.setattr(hourly, "add", fail)
    recorder.write([entry()])
    assert not ToolCall.objects.exists()


# --- How long they took ---


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize("seed", range(5))
def test_the_95th_percentile_is_in_the_bucket_of_the_exact_one(seed: int) -> None:
    entries = some_entries(seed, 500)
    recorder.write(entries)
    ran = [call.duration_ms for call in entries if call.outcome not in hourly.NOT_RUN]
    exact = quantiles(ran, n=20, method="inclusive")[-1]
    rows = HourOfName.objects.values_list(*BUCKETS)
    told = percentile([sum(column) for column in zip(*rows, strict=True)], 0.95)
    assert told is not None
    assert bucket_of(told) == bucket_of(exact)


def test_there_is_none_of_no_calls() -> None:
    assert percentile([0] * len(BUCKETS), 0.95) is None


def test_what_took_longer_than_the_last_bound_is_told_as_that_bound() -> None:
    assert percentile([0] * len(BOUNDS) + [3], 0.95) == BOUNDS[-1]


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_bound_belongs_to_the_bucket_that_it_ends(bound: int) -> None:
    assert BUCKETS[bucket_of(bound)] == f"within_{bound}"
    assert BUCKETS[bucket_of(bound + 0.001)] != f"within_{bound}"


@pytest.mark.usefixtures("db_for_threads")
def test_what_did_not_run_says_nothing_of_how_long_things_take() -> None:
    recorder.write([entry(outcome=Outcome.REFUSED), entry(outcome=Outcome.INVALID), entry()])
    [row] = HourOfName.objects.values(*BUCKETS)
    assert sum(row.values()) == row["within_5"] == 1


# --- Which hours ---


@pytest.mark.usefixtures("db_for_threads")
def test_the_latest_hours_are_this_one_and_those_before_it() -> None:
    for hours in range(26):
        recorder.write([entry(started=time.time() - hours * HOUR)])
    rows = HourOfName.objects.of_last(24)
    assert len(rows) == 24
    assert max(row.hour for row in rows) == timezone.now().replace(minute=0, second=0, microsecond=0)


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize("model", [HourOfName, HourOfUser])
def test_they_go_with_the_record_that_they_count(model: Any) -> None:
    for days in (89, 91):
        recorder.write([entry(started=time.time() - days * 24 * HOUR)])
    due = model.objects.past_its_time()
    assert isinstance(due, HourQuerySet)
    assert [row.hour for row in due] == [hour_of(time.time() - 91 * 24 * HOUR)]


@pytest.mark.usefixtures("db_for_threads")
def test_an_hour_of_which_a_call_is_still_kept_is_kept() -> None:
    moment = timezone.now() - timedelta(days=90) + timedelta(minutes=1)
    recorder.write([entry(started=moment.timestamp())])
    assert not ToolCall.objects.past_its_time().exists()
    assert not HourOfName.objects.past_its_time().exists()


def test_alice_is_counted_under_her_own_number(alice: User) -> None:
    recorder.write([entry(alice.pk)])
    assert HourOfUser.objects.busiest(10)[0]["user_id"] == alice.pk
