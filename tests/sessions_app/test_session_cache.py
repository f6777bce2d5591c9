"""What a session keeps for a while: how long, how much, and that it goes with the session."""

import asyncio
import threading
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django_redis.exceptions import ConnectionInterrupted

from sessions_app import session_cache
from sessions_app.models import Session, User
from sessions_app.models.session_lifetime import HTTP, WEBSOCKET
from sessions_app.pool import identity_pool
from sessions_app.session_cache import MOST_BYTES, MOST_ENTRIES, SessionCache


@pytest.fixture
def kept(db_for_threads: None) -> SessionCache:
    """What makes a value runs where tools do, with a database."""
    return SessionCache("one")


def test_what_was_put_is_there_with_its_age(kept: SessionCache) -> None:
    assert kept.get("tea") is None
    kept.put("tea", {"kind": ["green", None, 1.5]})
    found = kept.get("tea")
    assert found is not None
    assert found.value == {"kind": ["green", None, 1.5]}
    assert 0 <= found.age < 5
    assert len(kept) == 1
    kept.forget("tea")
    assert kept.get("tea") is None


def test_null_is_a_value_and_no_entry_is_none(kept: SessionCache) -> None:
    kept.put("nothing", None)
    assert (found := kept.get("nothing")) is not None
    assert found.value is None


def test_it_is_gone_when_its_time_is_over(kept: SessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.put("short", 1, 10)
    kept.put("usual", 2)
    now = time.time()
    monkeypatch.setattr("sessions_app.session_cache.time.time", lambda: now + 11)
    assert (kept.get("short"), len(kept)) == (None, 1)
    monkeypatch.setattr("sessions_app.session_cache.time.time", lambda: now + 301)
    assert kept.get("usual") is None


def test_sessions_do_not_see_each_other_s(kept: SessionCache) -> None:
    kept.put("tea", 1)
    assert SessionCache("two").get("tea") is None


def test_the_oldest_go_when_there_are_too_many(kept: SessionCache) -> None:
    for number in range(MOST_ENTRIES + 2):
        kept.put(str(number), number)
    kept.put("2", "again")
    assert len(kept) == MOST_ENTRIES
    assert [kept.get(key) is None for key in ("0", "1", "2", "3")] == [True, True, False, False]


def test_the_oldest_go_when_they_are_too_large_together(kept: SessionCache) -> None:
    half = "é" * (MOST_BYTES // 4)
    kept.put("first", half)
    kept.put("second", "x" * (MOST_BYTES // 2))
    assert kept.get("first") is None
    assert kept.get("second") is not None


def test_what_is_too_large_by_itself_is_not_kept(kept: SessionCache) -> None:
    kept.put("huge", "x" * MOST_BYTES)
    assert len(kept) == 0


async def test_of_many_who_miss_it_one_makes_it(kept: SessionCache) -> None:
    made = []

    def make() -> int:
        made.append(1)
        time.sleep(0.1)
        return len(made)

    found = await asyncio.gather(*(kept.get_or_make("slow", make) for _ in range(20)))
    assert len(made) == 1
    assert sorted(is_new for _, is_new in found) == [False] * 19 + [True]
    assert {entry.value for entry, _ in found} == {1}


async def test_what_was_made_between_the_look_and_the_turn_is_not_made_again(
    kept: SessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_else_is_done(name: str, *args: Any) -> bool:
        kept.put("fact", "theirs")
        return True

    monkeypatch.setattr(LocMemCache, "add", somebody_else_is_done)
    entry, is_new = await kept.get_or_make("fact", lambda: "ours")
    assert (entry.value, is_new) == ("theirs", False)


async def test_who_wants_it_anew_gets_a_new_one(kept: SessionCache) -> None:
    kept.put("fact", "old")
    (entry, is_new) = await kept.get_or_make("fact", lambda: "new", anew=True)
    assert (entry.value, is_new) == ("new", True)
    assert (await kept.get_or_make("fact", lambda: "newer"))[0].value == "new"


async def test_a_failure_is_not_kept_and_the_next_tries_again(kept: SessionCache) -> None:
    def fail() -> Any:
        raise LookupError

    with pytest.raises(LookupError):
        await kept.get_or_make("fact", fail)
    assert (await kept.get_or_make("fact", lambda: 1))[0].value == 1


async def test_a_maker_who_died_does_not_keep_others_waiting_for_ever(
    kept: SessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session_cache.LONGEST_MAKING <= 10
    monkeypatch.setattr(session_cache, "LONGEST_MAKING", 0.2)
    cache.add("session-making:one:fact", "somebody else", 60)
    assert (await kept.get_or_make("fact", lambda: 1))[0].value == 1
    assert cache.get("session-making:one:fact") == "somebody else"  # which is his to take away


async def test_who_is_given_up_leaves_nothing_begun(kept: SessionCache) -> None:
    may_end, began = threading.Event(), threading.Event()

    def make() -> int:
        began.set()
        may_end.wait(5)
        return 1

    making = asyncio.ensure_future(kept.get_or_make("fact", make))
    await asyncio.to_thread(began.wait, 5)
    making.cancel()
    may_end.set()
    entry, is_new = await asyncio.wait_for(kept.get_or_make("fact", lambda: 2), 2)
    assert (entry.value, is_new) == (1, False)  # what he had begun was made to its end


async def test_a_cache_that_hangs_costs_once(kept: SessionCache, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def hangs(*args: Any) -> Any:
        asked.append(args)
        raise ConnectionInterrupted(None)

    for name in ("get", "set", "add", "delete", "delete_many"):
        monkeypatch.setattr(LocMemCache, name, hangs)
    for _ in range(5):
        assert (await kept.get_or_make("fact", lambda: 1))[0].value == 1
    assert len(asked) == 1


async def test_without_the_cache_nothing_is_kept_and_all_goes_on(
    kept: SessionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionInterrupted(None)

    for name in ("get", "set", "add", "delete", "delete_many"):
        monkeypatch.setattr(LocMemCache, name, away)
    assert (await kept.get_or_make("fact", lambda: 1))[0].value == 1
    assert kept.get("fact") is None
    session_cache.clear(["one"])


@pytest.mark.parametrize("over", ["end", "close", "end_and_revoke"])
async def test_it_goes_with_the_session(alice: User, over: str) -> None:
    def live_and_end() -> tuple[int, int]:
        session = Session.objects.create(
            user=alice, credential="api-key:1", label="k", transport=WEBSOCKET, protocol_version="2025-11-25"
        )
        other = Session.objects.create(
            user=alice, credential="api-key:1", label="k", transport=HTTP, protocol_version="2025-11-25"
        )
        for each in (session, other):
            each.cache.put("fact", 1)
        if over == "close":
            Session.objects.filter(pk=session.pk).close("left")
        else:
            getattr(session, over)("by a test")
        return len(SessionCache(session.public_id)), len(SessionCache(other.public_id))

    left, others = await identity_pool.run(live_and_end)
    assert left == 0
    assert others == (0 if over == "end_and_revoke" else 1)
