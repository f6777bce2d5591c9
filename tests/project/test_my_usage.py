"""One's usage, on one's own page: the last day, what is left of one's limits, and the record of one's calls."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from project.pages import hours, usage
from project.pages.hours import chart_of, round_up
from sessions_app.limits import CALLS, Bucket
from sessions_app.models import ApiKey, User
from sessions_app.state import state
from tests.control_room import ControlRoom, Page
from tests.tools_app.calls import make_call
from tools_app.models import ToolCall

CANARY = "<script>alert('canary')</script>"


def call_of(user: User, **details: Any) -> ToolCall:
    return make_call(user_id=user.pk, username=user.username, **details)


def page_of(user: User, **query: Any) -> str:
    return unescape(ControlRoom(user).read("/me/usage/", **query))


def test_a_day_s_calls_are_drawn_and_told_as_a_table(alice: User, bob: User) -> None:
    now = timezone.now()
    for _ in range(3):
        call_of(alice, started_at=now)
    call_of(alice, started_at=now, outcome="error")
    call_of(alice, started_at=now - timedelta(hours=25))
    call_of(bob, started_at=now)
    chart = chart_of(alice)
    assert (chart.calls, chart.errors, chart.top, len(chart.bars)) == (4, 1, 5, 24)
    last = chart.bars[-1]
    assert (last.calls, last.errors, last.height, last.bad) == (4, 1, 128.0, 32.0)
    assert chart.bars[0].began_at == chart.bars[-1].began_at - timedelta(hours=23)
    html = page_of(alice)
    assert "<strong>4</strong> calls" in html
    assert html.count("<rect") == 72
    assert '<td class="number">4</td><td class="number">1</td>' in re.sub(r">\s+<", "><", html)
    assert Page(html).inline == []


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Australia/Lord_Howe", "Asia/Tokyo"])
def test_hours_are_counted_alike_in_every_zone(alice: User, zone: str) -> None:
    call_of(alice, started_at=timezone.now())
    with timezone.override(zone):
        chart = chart_of(alice)
    assert chart.bars[-1].calls == 1
    assert all(bar.began_at.tzinfo == UTC and bar.began_at.minute == 0 for bar in chart.bars)


@pytest.mark.alike
def test_few_beside_many_are_seen(alice: User) -> None:
    assert hours.drawn(1, 1_000_000) == 2.0
    assert hours.drawn(0, 0) == 0.0


@pytest.mark.alike
@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (99, 100), (101, 200), (6000, 10_000)]
)
def test_the_scale_ends_at_a_round_number(most: int, top: int) -> None:
    assert round_up(most) == top


def test_who_called_nothing_is_told_so(alice: User) -> None:
    html = page_of(alice)
    assert "Nothing was called in the last 24 hours." in html
    assert "No call of yours is in the record yet." in html
    assert "<svg" not in html


def test_limits_say_how_far_they_are_used_up(alice: User, bob: User) -> None:
    state.take([Bucket(CALLS, f"user:{alice.pk}")])
    key = ApiKey.mint(alice, "laptop", rate="5/h")[0]
    ApiKey.mint(bob, "bob's")[0].note_use()
    ApiKey.mint(alice, "unused")
    key.note_use()
    state.take(key.buckets()[1:])
    html = page_of(alice)
    assert "All MCP requests" in html
    assert f"1 of {CALLS.most:,} a minute, the oldest counts for" in html
    assert "The key laptop" in html
    assert "1 of 5 an hour" in html
    assert "Calls of rate-limited-operation" in html
    assert "bob's" not in html
    assert "unused" not in html
    assert "admin-operations" not in html, "a limit does not tell that there is a hidden tool"


@pytest.mark.alike
@pytest.mark.parametrize(
    ("rate", "most", "per"), [("100/h", 100, "an hour"), ("10/s", 10, "a second"), ("100 in 90 s", 100, "in 90 s")]
)
def test_a_rate_is_read_aloud(rate: str, most: int, per: str) -> None:
    shown = usage.shown("x", rate, most - 3, 1.2)
    assert (shown["most"], shown["per"], shown["used"], shown["seconds"]) == (most, per, 3, 2)


def test_calls_are_listed_newest_first_and_page_by_page(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "PAGE", 2)
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    first, second, third = (call_of(alice, name=name, started_at=noon) for name in ("one", "two", "three"))
    theirs = call_of(bob, name="secret", started_at=noon)
    html = page_of(alice)
    assert re.findall(r"<bdi>(one|two|three|secret)</bdi>", html) == ["three", "two"]
    assert f"?before={second.pk}" in html
    older = page_of(alice, before=second.pk)
    assert re.findall(r"<bdi>(one|two|three|secret)</bdi>", older) == ["one"]
    assert "Your limits" not in older
    assert "There are no earlier ones" in page_of(alice, before=first.pk)
    for nowhere in (theirs.pk, 10**30, "x", "-1", "²", "٣"):
        assert "There are no earlier ones" in page_of(alice, before=nowhere)
    assert third.pk


def test_what_was_called_is_text(alice: User) -> None:
    call_of(alice, name=CANARY, client_name=f"{CANARY}\x1b", outcome="refused")
    html = ControlRoom(alice).read("/me/usage/")
    assert CANARY not in html
    assert html.count("&lt;script&gt;") == 2
    assert "\x1b" not in html
    assert Page(html).inline == []
