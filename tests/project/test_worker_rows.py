"""Real workers, each with a row that says that it serves."""

import os
import signal
from collections.abc import Callable

import psycopg
import pytest

from tests.process import Process, until

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]


def rows(process: Process) -> set[int]:
    """The numbers of the processes that have one."""
    with psycopg.connect(process._environment["DATABASE_URL"]) as connection:
        return {pid for (pid,) in connection.execute("SELECT pid FROM sessions_worker")}


def age(process: Process, pid: int) -> None:
    """As if it had not been seen for longer than a minute."""
    with psycopg.connect(process._environment["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE sessions_worker SET seen_at = seen_at - interval '61 seconds' WHERE pid = %s", [pid]
        )


def test_each_worker_has_a_row_and_those_that_are_gone_have_none(two_workers: Callable[[], Process]) -> None:
    process = two_workers()
    until(lambda: len(process.workers) == 2 and rows(process) == process.workers)
    killed = min(process.workers)
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(rows(process)) == 3)
    age(process, killed)
    until(lambda: rows(process) == process.workers and len(process.workers) == 2)
    process.end()
    assert rows(process) == set()
