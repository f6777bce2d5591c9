"""Every refusal is counted, by its reason, on every wire; never while somebody waits for it."""

import time
from collections import Counter
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from sessions_app import refusals as module
from sessions_app.exceptions import (
    Crowded,
    RateLimited,
    Refused,
    SessionNotFound,
    SignInFailed,
    TooManySessions,
    Unauthenticated,
    WrongSite,
)
from sessions_app.hours import HOUR, hour_of, this_hour
from sessions_app.limits import API_KEY, SIGN_IN_ADDRESS, Bucket
from sessions_app.models import RefusalHour, User
from sessions_app.pool import identity_pool
from sessions_app.refusals import MOST_KEPT, Reason, reason_of, refusals
from tests.conftest import key_for
from tests.control_room import ControlRoom
from tests.rest import Rest
from tests.wire import Wire

from .eras import ERAS, Knock

BAD = "cgk_000000000000_nobody"


def counted() -> dict[str, int]:
    with refusals._lock:
        return {reason: count for (_, reason), count in refusals._counted.items()}


REFUSALS: dict[str, tuple[Refused, str | None]] = {
    "no credential": (Unauthenticated("none", is_bad=False), Reason.NO_CREDENTIAL),
    "a bad one": (Unauthenticated("unknown"), Reason.BAD_CREDENTIAL),
    "a limit": (RateLimited(Bucket(API_KEY, "api-key:1"), 1), "limit:api-key"),
    "too many calls at once": (Crowded(1), Reason.TOO_MANY),
    "another site": (WrongSite("no", status=403), Reason.WRONG_SITE),
    "another host": (WrongSite("no", status=421), Reason.WRONG_SITE),
    "not allowed": (Refused("no", status=403), Reason.FORBIDDEN),
    "no such session": (SessionNotFound(), Reason.NOT_FOUND),
    "malformed": (Refused("no"), Reason.BAD_REQUEST),
    "a wrong method": (Refused("no", status=405), Reason.BAD_REQUEST),
    "a wrong type": (Refused("no", status=415), Reason.BAD_REQUEST),
    "too large": (Refused("no", status=413), Reason.TOO_LARGE),
    "too many headers": (Refused("no", status=431), Reason.TOO_LARGE),
    "too slow": (Refused("no", status=408), Reason.TOO_SLOW),
    "full": (TooManySessions(1), Reason.UNAVAILABLE),
    "without a database": (Refused("no", status=503), Reason.UNAVAILABLE),
    "a crash": (Refused("no", status=500), None),
    "a sign-in, counted where it failed": (SignInFailed(), None),
    "too many sign-ins, counted there": (RateLimited(Bucket(SIGN_IN_ADDRESS, "network"), 1), None),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_each_has_a_reason(what: str) -> None:
    refusal, reason = REFUSALS[what]
    assert reason_of(refusal) == reason


def test_each_reason_has_words() -> None:
    assert Reason.in_words("too-large") == "Too large"
    assert Reason.in_words("limit:guest") == "Too often (limit guest)"
    assert Reason.in_words("of another release") == "of another release"


# --- On every wire ---


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("secret", "headers", "reason"),
    [
        (None, {}, Reason.NO_CREDENTIAL),
        (BAD, {}, Reason.BAD_CREDENTIAL),
        (BAD, {"host": "evil.example"}, Reason.WRONG_SITE),
        (BAD, {"origin": "http://evil.example"}, Reason.WRONG_SITE),
        (BAD, {"x-api-key": BAD}, Reason.BAD_REQUEST),
        (BAD, {"x-large": "x" * 9000}, Reason.TOO_LARGE),
    ],
    ids=["no credential", "bad credential", "host", "origin", "two credentials", "too large"],
)
async def test_one_refusal_counts_once(
    era: str, secret: str | None, headers: dict[str, str | None], reason: str
) -> None:
    knock: Knock = ERAS[era]
    assert (await knock(secret, **headers)).status >= 400
    assert counted() == {reason: 1}


@pytest.mark.parametrize("era", ERAS)
async def test_a_limit_is_counted_by_its_name(era: str, alice: User) -> None:
    key = await identity_pool.run(lambda: key_for(alice, rate="1/h"))
    await ERAS[era](key)
    await ERAS[era](key)
    # A socket's handshake is the one request that was free, so its first message is refused as well.
    assert counted() == {"limit:api-key": 2 if "websocket" in era else 1}


async def test_who_speaks_http_to_the_path_of_sockets(wire: Wire) -> None:
    answer = await wire.post(wire.request("tools/list"), path="/ws/mcp")
    assert answer.status == 426
    assert counted() == {Reason.BAD_REQUEST: 1}


@pytest.mark.usefixtures("db_for_threads")
@pytest.mark.parametrize(
    ("secret", "path", "headers", "reason"),
    [
        (None, "keys/", {}, Reason.NO_CREDENTIAL),
        (BAD, "keys/", {}, Reason.BAD_CREDENTIAL),
        (None, "keys/", {"host": "evil.example"}, Reason.WRONG_SITE),
        (None, f"keys/?token={BAD}", {}, Reason.BAD_REQUEST),
    ],
)
def test_over_rest(secret: str | None, path: str, headers: dict[str, str | None], reason: str) -> None:
    assert Rest(secret).ask("GET", path, headers=headers).status >= 400
    assert counted() == {reason: 1}


def test_what_is_not_there_over_rest(alice: User) -> None:
    Rest(key_for(alice)).ask("DELETE", "keys/99999/")
    assert counted() == {Reason.NOT_FOUND: 1}


@pytest.mark.parametrize("sign_in", ["REST", "a form"])
def test_a_failed_sign_in_counts_once_however_it_is_tried(alice: User, sign_in: str) -> None:
    data = {"username": "alice", "password": "wrong"}
    if sign_in == "REST":
        assert Rest().ask("POST", "token/", data).status == 401
    else:
        ControlRoom().client.post("/sign-in/", data)
    assert counted() == {Reason.SIGN_IN: 1}


def test_too_many_of_them_count_by_the_limit(alice: User) -> None:
    for _ in range(11):
        Rest().ask("POST", "token/", {"username": "alice", "password": "wrong"})
    assert counted() == {Reason.SIGN_IN: 10, "limit:sign-in-account": 1}


# --- Writing them down ---


@pytest.mark.usefixtures("db_for_threads")
def test_whoever_is_refused_does_not_wait_for_the_database() -> None:
    with CaptureQueriesContext(connection) as queries:
        for number in range(100):
            refusals.note(Refused(str(number)))
    assert not queries
    refusals.write()
    rows = RefusalHour.objects.values_list("hour", "reason", "count")
    assert list(rows) == [(this_hour(), "bad-request", 100)]


@pytest.mark.usefixtures("db_for_threads")
def test_what_is_written_adds_to_what_is_there_and_is_written_once() -> None:
    for _ in range(3):
        refusals.count(Reason.TOO_SLOW)
        refusals.write()
    refusals.write()
    assert RefusalHour.objects.get().count == 3


@pytest.mark.usefixtures("db_for_threads")
def test_nothing_to_write_asks_the_database_for_nothing() -> None:
    with CaptureQueriesContext(connection) as queries:
        refusals.write()
    assert not [query for query in queries if "INSERT" in query["sql"]]


@pytest.mark.usefixtures("db_for_threads")
def test_what_the_database_does_not_take_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseError("away")

    refusals.count(Reason.TOO_SLOW)
    with monkeypatch.context() as patch:
        patch.setattr(module, "add_to", fail)
        with pytest.raises(DatabaseError):
            refusals.write()
    refusals.count(Reason.TOO_SLOW)
    refusals.write()
    assert RefusalHour.objects.get().count == 2


def test_who_attacks_does_not_fill_the_memory() -> None:
    for number in range(2 * MOST_KEPT):
        refusals.count(f"reason {number}")
    refusals.count("reason 0")
    assert (len(refusals._counted), counted()["reason 0"]) == (MOST_KEPT, 2)


@pytest.mark.usefixtures("db_for_threads")
def test_they_are_told_by_reason_the_most_frequent_first() -> None:
    now = hour_of(time.time())
    for reason, counts in {"forbidden": (1, 2), "too-slow": (4, 0)}.items():
        for hours, count in enumerate(counts):
            RefusalHour.objects.create(hour=now - hours * HOUR, reason=reason, count=count)
    RefusalHour.objects.create(hour=now - 24 * HOUR, reason="forbidden", count=100)
    told = Counter({row["reason"]: row["all"] for row in RefusalHour.objects.of_last(24).by_reason()})
    assert list(told.items()) == [("too-slow", 4), ("forbidden", 3)]
