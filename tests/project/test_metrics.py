"""What /metrics says, and to whom."""

import asyncio
import logging
import threading
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client import Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from pytest_django import Settings

from project import asgi
from project.metrics import asked
from project.metrics.asked import Question
from project.metrics.endpoint import Metrics
from sessions_app.measuring import Measuring
from sessions_app.metrics import Total, counter, registry
from sessions_app.models import User
from sessions_app.pool import identity_pool
from sessions_app.refusals import Reason, refusals
from tests.clients import Client as McpClient
from tests.conftest import key_for
from tests.wire import Answer
from tools_app.latency import BOUNDS
from tools_app.metrics import Times, observe
from tools_app.recorder import recorder

from .metrics_of import names_of, problems, value_of

TOKEN = "only-for-prometheus-Tq7nL2xV9c-4b"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(autouse=True)
def measured() -> None:
    asgi.measuring.look(0)


@pytest.fixture
def endpoint(db_for_threads: None) -> Metrics:
    return Metrics(asgi.guard, TOKEN)


async def ask(endpoint: Metrics, /, method: str = "GET", *, query: str = "", **headers: str) -> Answer:
    answer = Answer()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message["body"]

    async def receive() -> Any:
        raise AssertionError("it has no body")

    lines = {"host": "127.0.0.1:8000", **headers}
    scope = {
        "type": "http", "method": method, "path": "/metrics", "query_string": query.encode(),
        "client": ("127.0.0.1", 5),
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in lines.items()],
    }  # fmt: skip
    await endpoint(scope, receive, send)
    return answer


async def text_of(endpoint: Metrics, **headers: str) -> str:
    answer = await ask(endpoint, **BEARER, **headers)
    assert answer.status == 200
    return answer.body.decode()


# --- To whom ---


async def test_whoever_has_the_token_is_shown_what_there_is(endpoint: Metrics) -> None:
    answer = await ask(endpoint, **BEARER)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-type"].startswith("text/plain")
    assert list(problems(answer.body.decode())) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer only-for-prometheus-Tq7nL2xV9c-4B"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer"},
        {"authorization": "Bearer \xe9"},
        {"x-api-key": TOKEN},
        {"cookie": f"token={TOKEN}"},
    ],
    ids=["none", "one letter", "longer", "basic", "bare", "empty", "not ASCII", "as a key", "as a cookie"],
)
async def test_nobody_else_is_shown_anything(
    endpoint: Metrics, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer, none = await ask(endpoint, **headers), await ask(endpoint)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="concierge"'
    assert (answer.body, answer.headers) == (none.body, none.headers)
    assert b"concierge_" not in answer.body
    assert TOKEN not in caplog.text


async def test_no_key_opens_it_not_even_an_operator_s(endpoint: Metrics, admin: User) -> None:
    key = await identity_pool.run(lambda: key_for(admin))
    assert (await ask(endpoint, authorization=f"Bearer {key}")).status == 401


async def test_a_token_in_the_url_opens_nothing(endpoint: Metrics) -> None:
    assert (await ask(endpoint, query=f"token={TOKEN}")).status == 401


async def test_strangers_are_counted(endpoint: Metrics) -> None:
    before = await text_of(endpoint)
    await ask(endpoint)
    await ask(endpoint, authorization="Bearer x")
    after = await text_of(endpoint)
    for reason in (Reason.NO_CREDENTIAL, Reason.BAD_CREDENTIAL):
        assert difference(before, after, "concierge_refusals_total", reason=reason.value) == 1


async def test_a_page_of_another_site_is_told_that_it_is_one(endpoint: Metrics) -> None:
    assert (await ask(endpoint, host="evil.example")).status == 421
    assert (await ask(endpoint, origin="http://evil.example")).status == 403


async def test_prometheus_may_ask_by_an_address_that_is_no_name_of_ours(endpoint: Metrics) -> None:
    assert (await ask(endpoint, host="10.0.0.7:8000", **BEARER)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_it_is_only_read(endpoint: Metrics, method: str) -> None:
    answer = await ask(endpoint, method, **BEARER)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_without_a_token_there_is_no_such_page(method: str, db_for_threads: None) -> None:
    assert "/metrics" not in asgi.ROUTES
    client = Client(enforce_csrf_checks=True)
    answers = [getattr(client, method)(path) for path in ("/metrics", "/nowhere")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content.replace(b"/nowhere", b"/metrics")


# --- In which words ---


@pytest.mark.parametrize("version", ["1.0.0", ""])
async def test_it_speaks_openmetrics_to_whoever_takes_that(endpoint: Metrics, version: str) -> None:
    accept = "application/openmetrics-text" + (f"; version={version}" if version else "")
    answer = await ask(endpoint, accept=accept, **BEARER)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")
    assert "concierge_calls" in {family.name for family in openmetrics(answer.body.decode())}


@pytest.mark.parametrize(
    "accept",
    ["application/openmetrics-text; version=x", "text/plain; version=x", ",;=", "\xe9", "*/*"],
)
async def test_an_odd_accept_header_is_no_failure(endpoint: Metrics, accept: str) -> None:
    assert list(problems(await text_of(endpoint, accept=accept))) == []


# --- What is counted ---


def difference(before: str, after: str, series: str, /, **labels: str) -> float:
    return value_of(after, series, **labels) - value_of(before, series, **labels)


async def test_each_call_counts_once_by_its_outcome(endpoint: Metrics, client: McpClient) -> None:
    await recorder.drain()  # what earlier tests called
    before = await text_of(endpoint)
    for _ in range(3):
        await client.call("echo", {"text": "x"})
    await client.call("echo", {"txt": "x"})
    await client.call("refuse")
    await recorder.drain()
    after = await text_of(endpoint)
    counted = {
        outcome: difference(before, after, "concierge_calls_total", kind="tool", name="echo", outcome=outcome)
        for outcome in ("ok", "invalid")
    }
    assert counted == {"ok": 3, "invalid": 1}
    assert difference(before, after, "concierge_calls_total", name="refuse", outcome="error") == 1
    ran = {"kind": "tool", "name": "echo"}
    assert difference(before, after, "concierge_call_duration_seconds_count", **ran) == 3
    assert 0 < difference(before, after, "concierge_call_duration_seconds_sum", **ran) < 30


async def test_a_name_that_a_caller_made_up_is_no_series(endpoint: Metrics, client: McpClient) -> None:
    before = await text_of(endpoint)
    for number in range(20):
        await client.call(f"made-up-{number}")
    await recorder.drain()
    after = await text_of(endpoint)
    assert "made-up" not in after
    assert difference(before, after, "concierge_calls_total", name="(unknown)", outcome="refused") == 20
    assert difference(before, after, "concierge_call_duration_seconds_count", name="(unknown)") == 0


async def test_a_call_counts_once_however_often_its_record_is_tried(
    endpoint: Metrics, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorder.drain()
    before = await text_of(endpoint)

    def refuse(entries: Any) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as away:
        away.setattr("tools_app.recorder.insert", refuse)
        await client.call("echo", {"text": "x"})
        for _ in range(3):
            await recorder.drain()
            await asyncio.sleep(0)  # where what the database did not take comes back
        asgi.measuring.look(0)
        during = await text_of(endpoint)
    assert difference(before, during, "concierge_calls_total", name="echo") == 1
    assert value_of(during, "concierge_records_waiting") == 1
    await recorder.drain()
    asgi.measuring.look(0)
    after = await text_of(endpoint)
    assert difference(before, after, "concierge_calls_total", name="echo") == 1
    assert value_of(after, "concierge_records_waiting") == 0


async def test_what_will_never_be_recorded_is_counted(
    endpoint: Metrics, client: McpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorder.drain()
    before = await text_of(endpoint)
    with monkeypatch.context() as wrong:
        wrong.setattr("tools_app.recorder.insert", lambda entries: 1 / 0)
        await client.call("echo", {"text": "x"})
        await recorder.drain()
    after = await text_of(endpoint)
    assert difference(before, after, "concierge_records_dropped_total") == 1
    assert difference(before, after, "concierge_calls_total", name="echo") == 1


def test_a_batch_is_observed_as_one_by_one() -> None:
    """Of prometheus_client's own parts: their names, and what they mean."""
    buckets = [bound / 1000 for bound in BOUNDS]
    ours, theirs = (Histogram("x", "x", buckets=buckets, registry=None) for _ in range(2))
    times = Times()
    for ms in (0.2, 1, 1.5, 700, 20_000, 20_001, 99_999):
        times.add(ms)
        theirs.observe(ms / 1000)
    observe(ours, times)
    [of_ours, of_theirs] = [metric.samples for one in (ours, theirs) for metric in one.collect()]
    assert [(sample.name, sample.labels) for sample in of_ours] == [
        (sample.name, sample.labels) for sample in of_theirs
    ]
    assert [sample.value for sample in of_ours] == pytest.approx([sample.value for sample in of_theirs])


def test_refusals_count_by_their_reason() -> None:
    before = registry.get_sample_value("concierge_refusals_total", {"reason": "too-slow"}) or 0
    refusals.count(Reason.TOO_SLOW)
    refusals.count(Reason.TOO_SLOW)
    assert registry.get_sample_value("concierge_refusals_total", {"reason": "too-slow"}) == before + 2


def test_a_sum_that_begins_anew_is_added_all_the_same() -> None:
    total = Total(made := counter("concierge_test_sums", "x"))
    try:
        for reached in (5, 7, 7, 2, 3):
            total.reach(reached)
        assert registry.get_sample_value("concierge_test_sums_total") == 10
    finally:
        registry.unregister(made)


def test_a_figure_that_cannot_be_had_is_said_once_and_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[float] = []

    def fail(passed: float) -> None:
        raise OSError("no /proc")

    measuring = Measuring(fail, seen.append)
    measuring.look(1)
    measuring.look(2)
    assert seen == [1, 2]
    assert caplog.text.count("Not known") == 1


async def test_it_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions_app.measuring.EVERY", 0.01)
    passed: list[float] = []
    enough = asyncio.Event()

    def look(seconds: float) -> None:
        passed.append(seconds)
        if len(passed) == 3:
            enough.set()

    measuring = Measuring(look)
    measuring.begin()
    await asyncio.wait_for(enough.wait(), 5)
    await measuring.end()
    assert passed[0] == 0
    assert all(seconds >= 0.01 for seconds in passed[1:])


# --- What others know ---


async def test_it_tells_how_many_sessions_are_live(endpoint: Metrics, client: McpClient) -> None:
    await client.call("echo", {"text": "x"})
    assert value_of(await text_of(endpoint), "concierge_sessions_live") == 1


async def test_without_its_database_it_tells_all_the_rest(
    endpoint: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> float:
        raise OperationalError("connection to postgres://operator:hunter2@db failed")

    endpoint._questions._sessions = Question(refuse)
    text = await text_of(endpoint)
    assert value_of(text, "concierge_database_up") == 0
    assert "concierge_sessions_live" not in names_of(text)
    assert "concierge_workers" in names_of(text)
    assert "hunter2" not in text


async def test_a_database_that_hangs_is_waited_for_no_longer_than_that_and_asked_once(
    endpoint: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "PATIENCE", 0.05)
    asked_of, goes_on = [], threading.Event()

    def hang() -> float:
        asked_of.append(1)
        goes_on.wait(10)
        return 3

    endpoint._questions._sessions = Question(hang)
    texts = await asyncio.gather(*(text_of(endpoint) for _ in range(5)))
    texts.append(await text_of(endpoint))
    assert {value_of(text, "concierge_database_up") for text in texts} == {0}
    goes_on.set()
    monkeypatch.setattr(asked, "PATIENCE", 5)
    text = await text_of(endpoint)
    assert value_of(text, "concierge_database_up") == 1
    assert value_of(text, "concierge_sessions_live") == 3
    assert len(asked_of) == 1


async def test_an_answer_is_good_for_some_seconds(db_for_threads: None) -> None:
    asked_of: list[int] = []

    def ask_it() -> float:
        asked_of.append(1)
        return len(asked_of)

    question = Question(ask_it)
    assert [await question.answer() for _ in range(3)] == [1, 1, 1]
    question._good_until = 0
    assert await question.answer() == 2


async def test_redis_is_told_of_only_where_there_is_to_be_one(endpoint: Metrics, settings: Settings) -> None:
    assert "concierge_redis_up" not in names_of(await text_of(endpoint))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    endpoint._questions._redis = Question(lambda: 1 / 0)
    text = await text_of(endpoint)
    assert "concierge_redis_up" in names_of(text)
    assert value_of(text, "concierge_redis_up") == 0
