"""Two workers on one socket: what they count is one sum, whichever is asked, and survives either of them."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
import yaml
from prometheus_client import Metric
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from project.config import BASE_DIR
from tests.process import Process, paused, until
from tests.redis_server import RedisServer, redis_server
from tests.services import own_database, postgres_url
from tests.wire import Wire

from .conftest import starter
from .metrics_of import families, going_up, problems, value_of, went_back

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]

TOKEN = "only-for-prometheus-Tq7nL2xV9c-4b"


def on_the_dashboard() -> list[str]:
    board = json.loads((BASE_DIR / "deploy/grafana/concierge.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]


def in_alerts() -> list[str]:
    groups = yaml.safe_load((BASE_DIR / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


EXPRESSIONS = {"dashboard": on_the_dashboard, "alerts": in_alerts}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Process]:
    home = tmp_path_factory.mktemp("measured")
    with ExitStack() as running:
        begin = starter(
            home,
            running,
            DJANGO_SETTINGS_MODULE="tests.settings",
            DATABASE_URL=running.enter_context(own_database(f"test_metrics_{os.getpid()}")),
            REDIS_URL=redis.url,
            CONCIERGE_METRICS_TOKEN=TOKEN,
            TMPDIR=str(home),
        )
        process = begin("--workers", "2")
        until(lambda: len(process.workers) == 2 and value_of(scrape(process), "concierge_workers") == 2)
        yield process


def ask(process: Process, token: str = TOKEN) -> httpx2.Response:
    return httpx2.get(f"{process.url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=30)


def scrape(process: Process) -> str:
    answer = ask(process)
    assert answer.status_code == 200, answer.text
    return answer.text


def directory(process: Process) -> Path:
    [found] = process.data_dir.glob("concierge-metrics-*")
    return found


def echoes(text: str) -> float:
    return value_of(text, "concierge_calls_total", kind="tool", name="echo", outcome="ok")


def open_socket(process: Process) -> ClientConnection:
    url = process.url.replace("http", "ws") + "/ws/mcp"
    headers = {"authorization": f"Bearer {process.key}"}
    return connect(url, subprotocols=[Subprotocol("mcp")], additional_headers=headers)


def call_by_socket(process: Process, times: int) -> None:
    client = Wire(process.key)
    with open_socket(process) as line:
        for _ in range(times):
            line.send(json.dumps(client.request("tools/call", {"name": "echo", "arguments": {"text": "x"}})))
            assert "result" in json.loads(line.recv(timeout=30))


def call_everywhere(process: Process, times: int) -> int:
    """On every wire, to each worker while the other is paused. How many calls that were."""
    durable = process.open_session()
    for worker in process.workers:
        with paused(worker):
            for _ in range(times):
                process.call("echo", text="x")
                arguments = {"name": "echo", "arguments": {"text": "x"}}
                process.post(durable, durable.request("tools/call", arguments))
            call_by_socket(process, times)
    return 2 * 3 * times


def test_whichever_worker_is_asked_tells_the_same_exact_sum(pair: Process) -> None:
    before = echoes(scrape(pair))
    made = call_everywhere(pair, 5)
    until(lambda: echoes(scrape(pair)) >= before + made)
    for worker in pair.workers:
        with paused(worker):
            text = scrape(pair)
            assert echoes(text) == before + made
            assert list(problems(text)) == []
            ran = value_of(text, "concierge_call_duration_seconds_count", name="echo")
            assert ran == value_of(text, "concierge_calls_total", name="echo")


def test_a_tool_that_nobody_registered_is_no_series(pair: Process) -> None:
    before = value_of(scrape(pair), "concierge_calls_total", name="(unknown)")
    for number in range(5):
        httpx2.post(**pair.request("tools/call", {"name": f"made-up-{number}", "arguments": {}}))
    until(lambda: value_of(scrape(pair), "concierge_calls_total", name="(unknown)") == before + 5)
    assert "made-up" not in scrape(pair)


def test_sockets_of_both_workers_are_counted_while_they_are_open(pair: Process) -> None:
    with ExitStack() as held:
        for _ in range(6):
            held.enter_context(open_socket(pair))
        until(lambda: value_of(scrape(pair), "concierge_sockets") == 6)
        assert value_of(scrape(pair), "concierge_calls_in_flight") == 0
    until(lambda: value_of(scrape(pair), "concierge_sockets") == 0)


def test_figures_of_each_worker_are_told_apart_by_its_number(pair: Process) -> None:
    text = scrape(pair)
    for name in ("concierge_worker_memory_bytes", "concierge_worker_open_files", "concierge_worker_cpu_seconds"):
        [family] = [family for family in families(text) if family.name == name]
        assert {int(sample.labels["pid"]) for sample in family.samples} == pair.workers
        assert all(sample.value > 0 for sample in family.samples)


def test_strangers_are_refused_by_the_real_server_too(pair: Process) -> None:
    for token in ("wrong", pair.key, TOKEN[:-1]):
        answer = ask(pair, token)
        assert (answer.status_code, "concierge_" in answer.text) == (401, False)
    assert httpx2.get(f"{pair.url}/metrics?token={TOKEN}").status_code == 401
    assert not httpx2.head(f"{pair.url}/metrics", headers={"authorization": f"Bearer {TOKEN}"}).content
    assert directory(pair).stat().st_mode & 0o777 == 0o700


def test_what_a_killed_worker_counted_stays_and_what_it_held_goes(pair: Process) -> None:
    begun = echoes(scrape(pair))
    made = call_everywhere(pair, 2)
    until(lambda: echoes(scrape(pair)) >= begun + made)
    for _ in range(2):
        settled = going_up(before := settle(pair))
        killed = min(pair.workers)
        os.kill(killed, signal.SIGKILL)
        while killed in pair.workers or len(pair.workers) < 2:
            assert went_back(settled, going_up(scrape(pair))) == []
        until(lambda: value_of(scrape(pair), "concierge_workers") == 2)
        after = scrape(pair)
        assert went_back(settled, going_up(after)) == []
        assert echoes(after) == echoes(before)
        assert f'pid="{killed}"' not in after
    # However many came and went, there are only the files of those that live and one sum.
    numbers = {path.stem.rpartition("_")[2] for path in directory(pair).glob("*.db")}
    assert numbers == {*map(str, pair.workers), "of-the-dead"}


def settle(pair: Process) -> str:
    """Once all that was called is counted."""
    until(lambda: value_of(scrape(pair), "concierge_records_waiting") == 0)
    return scrape(pair)


def test_a_reload_keeps_what_was_counted(pair: Process) -> None:
    before, old = settle(pair), pair.workers
    pair.popen.send_signal(signal.SIGHUP)
    until(lambda: len(pair.workers) == 2 and not old & pair.workers, seconds=60)
    until(lambda: value_of(scrape(pair), "concierge_workers") == 2)
    assert went_back(going_up(before), going_up(scrape(pair))) == []


def test_what_is_shown_is_documented_and_what_is_documented_is_shown(pair: Process) -> None:
    call_everywhere(pair, 1)
    httpx2.get(f"{pair.url}/metrics")
    shown = {family_of(family) for family in families(settle(pair))}
    documented = re.findall(r"^\| `(concierge_\w+)", (BASE_DIR / "docs/metrics.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(shown)


def family_of(family: Metric) -> str:
    """As Prometheus has it."""
    return f"{family.name}_total" if family.type == "counter" else family.name


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_what_dashboards_and_alerts_ask_for_is_there(pair: Process, where: str) -> None:
    samples = [sample for family in families(scrape(pair)) for sample in family.samples]
    labels = {sample.name: {*sample.labels, "job", "instance"} for sample in samples}
    for expression in EXPRESSIONS[where]():
        names = set(re.findall(r"\bconcierge_\w+", expression))
        assert names <= labels.keys(), expression
        by = {label.strip() for inside in re.findall(r"by \(([^)]*)\)", expression) for label in inside.split(",")}
        assert not names or by <= set.union(*(labels[name] for name in names)), expression


def test_while_redis_is_away_it_says_so_within_two_seconds(pair: Process, redis: RedisServer) -> None:
    assert value_of(scrape(pair), "concierge_redis_up") == 1
    losses = value_of(scrape(pair), "concierge_redis_losses_total")
    redis.pause()
    try:
        for _ in range(4):
            pair.call("echo", text="x")
        until(lambda: value_of(scrape(pair), "concierge_redis_up") == 0)
        until(lambda: value_of(scrape(pair), "concierge_redis_away") >= 1)
        assert ask(pair).elapsed.total_seconds() < 2
        assert value_of(scrape(pair), "concierge_redis_losses_total") > losses
        until(lambda: value_of(scrape(pair), "concierge_redis_away_seconds_total") > 0)
    finally:
        redis.go_on()
    until(lambda: value_of(scrape(pair), "concierge_redis_up") == 1)
    until(lambda: value_of(scrape(pair), "concierge_redis_away") == 0)


@contextmanager
def database_away(process: Process) -> Iterator[None]:
    """Nobody is let in, and who is in is thrown out."""
    name = urlsplit(process._environment["DATABASE_URL"]).path[1:]
    with psycopg.connect(str(postgres_url()), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_while_the_database_is_away_it_says_so_within_two_seconds_and_tells_the_rest(pair: Process) -> None:
    before = settle(pair)
    with database_away(pair):
        answer = ask(pair)
        while value_of(answer.text, "concierge_database_up"):  # what a worker knows is good for five seconds
            answer = ask(pair)
        assert answer.elapsed.total_seconds() < 2
        assert "concierge_sessions_live" not in answer.text
        assert value_of(answer.text, "concierge_workers") == 2
        assert went_back(going_up(before), going_up(answer.text)) == []
    until(lambda: value_of(scrape(pair), "concierge_database_up") == 1)


def test_the_directory_goes_with_the_server_and_the_token_was_in_no_log(pair: Process) -> None:
    [found] = pair.data_dir.glob("concierge-metrics-*")
    assert TOKEN not in pair.end()
    assert not found.exists()
