"""docs/backups.md tells the truth: what its commands save of a server that serves is there when it is restored."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from project.config import BASE_DIR
from tests.process import Process, until
from tests.redis_server import redis_server
from tests.services import own_database

pytestmark = pytest.mark.process

Start = Callable[..., Process]
GUIDE = (BASE_DIR / "docs/backups.md").read_text()
COMMANDS = [
    line.strip() for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()
]


def run(beginning: str, directory: Path, **environment: str) -> None:
    """The line of the guide that begins so, in `directory`."""
    [line] = [line for line in COMMANDS if line.startswith(beginning)]
    here = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment}
    subprocess.run(["sh", "-euc", line], cwd=directory, env=here, check=True, timeout=60)


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as running:

        def begin(data_dir: Path, **environment: str) -> Process:
            process = Process(data_dir, **environment)
            running.callback(process.kill)
            process.wait_until_ready(seconds=90)
            return process

        yield begin


def put(process: Process, key: str) -> None:
    assert not process.call("manage-preferences", action="set", key=key, value=True)["isError"]


def kept(process: Process) -> dict[str, Any]:
    found: dict[str, Any] = process.call("manage-preferences", action="get")["structuredContent"]["preferences"]
    return found


@contextmanager
def writing(process: Process) -> Iterator[list[str]]:
    """One who goes on writing, and what of it was acknowledged."""
    acknowledged: list[str] = []
    may_leave = threading.Event()

    def write() -> None:
        while not may_leave.is_set():
            put(process, key := f"later-{len(acknowledged)}")
            acknowledged.append(key)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: len(acknowledged) > 2)
        yield acknowledged
    finally:
        may_leave.set()
        writer.join(30)


def test_sqlite_is_copied_while_it_is_written_to(start: Start, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    process = start(before)
    put(process, "earlier")
    session = process.open_session()
    with writing(process) as acknowledged:
        expected = {"earlier", *acknowledged}
        run("python -m sqlite3", before)
    assert process.end()
    after.mkdir()
    shutil.copy(before / "copy.sqlite3", after / "concierge.sqlite3")
    shutil.copy(before / "secret-key", after)
    shutil.copy(before / "first-run.txt", after)
    with sqlite3.connect(after / "concierge.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()
    assert_all_is_there(start(after), expected, session)


@pytest.mark.postgres
@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="pg_dump is not installed here")
def test_postgresql_is_dumped_while_it_is_written_to(start: Start, tmp_path: Path) -> None:
    with (
        own_database(f"test_backed_up_{os.getpid()}") as original,
        own_database(f"test_restored_{os.getpid()}") as restored,
        redis_server() as redis,
    ):
        process = start(tmp_path, DATABASE_URL=original, REDIS_URL=redis.url)
        put(process, "earlier")
        session = process.open_session()
        with writing(process) as acknowledged:
            expected = {"earlier", *acknowledged}
            run("pg_dump", tmp_path, DATABASE_URL=original)
        assert process.end()
        run("pg_restore", tmp_path, DATABASE_URL=restored)
        if shutil.which("redis-cli"):
            run("redis-cli", tmp_path, REDIS_URL=redis.url)
        again = start(tmp_path, DATABASE_URL=restored, REDIS_URL=redis.url)
        assert_all_is_there(again, expected, session)
        again.end()


def assert_all_is_there(process: Process, expected: set[str], session: Any) -> None:
    """What was acknowledged before the copy began; and a session of before goes on."""
    assert expected <= set(kept(process))
    assert process.post(session, session.calling("get-user-profile")).status_code == 200
    put(process, "and it goes on")
