"""What the record can be asked, and that the answer never takes the whole of it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from sessions_app.models import User
from tests.tools_app.calls import make_call, make_calls
from tools_app.models.tool_call import ToolCall, ToolCallQuerySet

HOUR = timedelta(hours=1)

Ask = Callable[[], ToolCallQuerySet]

pytestmark = pytest.mark.usefixtures("db_for_threads")


def test_calls_of_a_user_are_his_under_whatever_name(alice: User) -> None:
    before = make_call(user_id=alice.pk, username="alicia")
    now = make_call(user_id=alice.pk)
    namesake = make_call(user_id=alice.pk + 1)
    assert list(ToolCall.objects.of(alice)) == [now, before]
    assert list(ToolCall.objects.by("alice")) == [namesake, now]


def test_the_newest_come_first_and_of_one_moment_those_that_were_written_last() -> None:
    old, moment = make_call(HOUR), timezone.now()
    first, second = make_call(started_at=moment), make_call(started_at=moment)
    assert list(ToolCall.objects.all()) == [second, first, old]
    assert list(ToolCall.objects.older_than(second)) == [first, old]
    assert list(ToolCall.objects.older_than(first)) == [old]


def test_a_failure_is_what_a_session_counts_as_an_error() -> None:
    for outcome in ToolCall.Outcome.values:
        make_call(outcome=outcome)
    failed = {call.outcome for call in ToolCall.objects.failed()}
    assert failed == {"error", "invalid", "timeout", "crashed"}
    for outcome in ToolCall.Outcome.values:
        assert ToolCall.objects.with_outcome(outcome).get().outcome == outcome


def test_calls_are_found_by_what_they_called() -> None:
    for kind in ToolCall.Kind.values:
        make_call(kind=kind, name=f"a {kind}")
    for kind in ToolCall.Kind.values:
        assert ToolCall.objects.of_kind(kind).get() == ToolCall.objects.named(f"a {kind}").get()


def test_a_time_is_from_then_on_and_before_then() -> None:
    moment = timezone.now() - HOUR
    earlier, then = make_call(2 * HOUR), make_call(started_at=moment)
    assert list(ToolCall.objects.since(moment)) == [then]
    assert list(ToolCall.objects.since(2 * HOUR - timedelta(minutes=1))) == [then]
    assert list(ToolCall.objects.until(moment)) == [earlier]


def test_a_search_is_for_a_whole_name_username_credential_or_error_id() -> None:
    call = make_call(name="order", username="bob", credential="api-key:7", error_id="abcd1234", outcome="crashed")
    make_call()
    for text in ("order", "bob", "api-key:7", "abcd1234"):
        assert list(ToolCall.objects.search(text)) == [call]
    for text in ("orde", "Bob", "api-key:", "", "%", "crashed"):
        assert not ToolCall.objects.search(text).exists()


def test_a_search_finds_both_of_what_is_called_alike() -> None:
    of_user, of_tool = make_call(username="order"), make_call(name="order")
    make_call()
    assert list(ToolCall.objects.search("order")) == [of_tool, of_user]


def test_a_search_stays_within_what_it_was_narrowed_to() -> None:
    make_call(name="order")
    assert not ToolCall.objects.failed().search("order").exists()


def test_pages_hold_each_row_once_though_all_are_of_one_moment() -> None:
    make_calls(25)
    pages = list(ToolCall.objects.in_pages(10))
    assert [len(page) for page in pages] == [10, 10, 5]
    ids = [call.pk for page in pages for call in page]
    assert ids == sorted(set(ids), reverse=True)


def test_what_is_written_meanwhile_does_not_disturb_the_pages() -> None:
    make_calls(15)
    pages = ToolCall.objects.in_pages(10)
    first = next(pages)
    make_call()
    ToolCall.objects.filter(pk=first[-1].pk).delete()
    assert len(next(pages)) == 5


def test_how_long_it_is_kept_is_a_setting(settings: Any) -> None:
    make_call(timedelta(days=8))
    assert not ToolCall.objects.past_its_time().exists()
    settings.CONFIG = settings.CONFIG.model_copy(update={"record_days": 7})
    assert ToolCall.objects.past_its_time().exists()


QUESTIONS: dict[str, Ask] = {
    "calls": lambda: ToolCall.objects.all(),
    "calls_of_name": lambda: ToolCall.objects.named("echo"),
    "calls_of_user": lambda: ToolCall.objects.of(User(pk=1)),
    "calls_by_username": lambda: ToolCall.objects.by("alice"),
    "calls_with_credential": lambda: ToolCall.objects.filter(credential="api-key:1"),
    "calls_from_client": lambda: ToolCall.objects.from_client("cursor"),
    "calls_of_other_kinds": lambda: ToolCall.objects.of_kind("prompt"),
    "calls_not_ok": lambda: ToolCall.objects.with_outcome("crashed"),
}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by statistics, which a test has not")
@pytest.mark.parametrize("index", QUESTIONS)
def test_each_question_has_an_index_that_sorts(index: str) -> None:
    call = make_call()
    ask = QUESTIONS[index]
    for calls in (ask(), ask().since(HOUR), ask().older_than(call), ask().since(HOUR).older_than(call)):
        plan = calls[:10].explain()
        assert f"INDEX {index} " in f"{plan} ", plan
        assert "TEMP B-TREE" not in plan
        assert "MULTI-INDEX" not in plan


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by statistics, which a test has not")
def test_an_error_id_has_an_index() -> None:
    make_call(error_id="abcd1234", outcome="crashed")
    assert "calls_with_error_id" in ToolCall.objects.search("abcd1234").explain()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by statistics, which a test has not")
def test_what_is_usual_does_not_lead_through_a_partial_index() -> None:
    assert "INDEX calls_of_name" in ToolCall.objects.with_outcome("ok").of_kind("tool").named("echo").explain()
