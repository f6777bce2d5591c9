"""The files that workers count in: whose they are, and what becomes of those of the dead."""

import fcntl
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import SecretStr
from pytest_django import Settings

from project.management.commands.serve import figures_together
from project.metrics import files

WORKER = """
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
registry = CollectorRegistry()
Counter("loaves", "Sold.", ["kind"], registry=registry).labels("rye").inc(2)
Histogram("waits", "In line.", registry=registry, buckets=[1, 2]).observe(1.5)
Gauge("ovens", "Hot.", registry=registry, multiprocess_mode="livesum").set(3)
"""


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(files.WHERE, "")
    with files.new_directory() as name:
        yield Path(name)


def worker() -> int:
    """The number of one that counted and has ended."""
    process = subprocess.Popen([sys.executable, "-c", WORKER])
    assert process.wait() == 0
    return process.pid


def counted(directory: Path) -> dict[str, float]:
    metrics = MultiProcessCollector(CollectorRegistry(), str(directory)).collect()
    names = {"loaves_total", "waits_count", "waits_sum", "ovens"}
    return {sample.name: sample.value for metric in metrics for sample in metric.samples if sample.name in names}


def test_what_the_dead_counted_is_one_sum_and_what_they_held_is_gone(directory: Path) -> None:
    dead = [worker() for _ in range(3)]
    all_of_them = {"loaves_total": 6, "waits_count": 3, "waits_sum": 4.5}
    assert counted(directory) == {**all_of_them, "ovens": 9}
    for number, pid in enumerate(dead, 1):
        files.bury(pid)
        left = {"ovens": 9 - 3 * number} if number < 3 else {}
        assert counted(directory) == {**all_of_them, **left}
    assert {path.name for path in directory.iterdir()} == {
        "counter_of-the-dead.db", "histogram_of-the-dead.db", "lock"
    }  # fmt: skip


def test_whoever_reads_is_not_waited_for_and_misses_nothing(directory: Path) -> None:
    pid = worker()
    with files.locked(directory, fcntl.LOCK_SH):
        files.bury(pid)
        assert counted(directory)["loaves_total"] == 2
    assert counted(directory)["loaves_total"] == 2


def test_a_file_that_is_broken_goes_and_keeps_nobody_from_the_others(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files.bury(worker())
    files.file_of("counter", 1).write_bytes(b"\xff\x0f\0\0\0\0\0\0\xff\xff\xff\0" + b"x" * 4096)
    files.bury(1)
    assert "counter_1.db" in caplog.text
    assert counted(directory)["loaves_total"] == 2


def test_nobody_else_may_look_into_it(directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700


def test_a_worker_has_its_room_before_it_counts(directory: Path) -> None:
    files.reserve()
    own = [files.file_of(kind, os.getpid()) for kind in files.KINDS]
    assert [path.stat().st_blocks * 512 >= files.ROOM for path in own] == [True] * 5


def test_a_worker_without_room_for_its_files_serves_all_the_same(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "make_room", full)
    files.reserve()
    assert files.WHERE not in os.environ
    assert "No space left on device" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_nothing_is_made_if_nobody_may_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(files.WHERE, raising=False)
    with figures_together():
        assert files.WHERE not in os.environ
        files.reserve()
        files.bury(1)


def test_without_a_place_for_files_serve_says_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"metrics_token": SecretStr("Tq7nL2xV9c-4b" * 3)})

    def nowhere() -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(files, "new_directory", nowhere)
    with pytest.raises(CommandError, match=r"CONCIERGE_METRICS_TOKEN.*No usable.*TMPDIR"), figures_together():
        pass


def test_no_file_s_name_is_read_before_a_worker_could_make_room() -> None:
    """prometheus_client decides when it is imported whether there are files."""
    code = "import sys, project.workers; sys.exit('prometheus_client' in sys.modules)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
