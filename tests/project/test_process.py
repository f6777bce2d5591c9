"""Real server processes: the first run, the next, and what a kill leaves behind."""

import os
import pty
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.process import Process

from .conftest import Start

pytestmark = pytest.mark.process


def test_the_first_run_makes_an_operator_a_key_and_secrets(start: Start, tmp_path: Path) -> None:
    process = start()
    key = process.key
    assert process.call("get-user-profile")["structuredContent"]["username"] == "operator"
    output = process.end()
    assert str(tmp_path / "first-run.txt") in output
    assert key not in output
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {"0o600"}
    assert {"secret-key", "first-run.txt", "concierge.sqlite3"} <= modes.keys()
    assert key.encode() not in (tmp_path / "concierge.sqlite3").read_bytes()


def test_a_second_run_changes_nothing_and_is_ready_soon(start: Start, tmp_path: Path) -> None:
    start().end()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".txt"}
    secret = (tmp_path / "secret-key").read_bytes()
    began = time.monotonic()
    output = start().end()
    assert time.monotonic() - began < 20
    assert "First run" not in output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".txt"} == before
    assert (tmp_path / "secret-key").read_bytes() == secret


def test_after_a_kill_the_next_call_works_and_its_session_goes_on(start: Start, tmp_path: Path) -> None:
    first = start()
    first.call("manage-preferences", action="set", key="k", value={"kept": True})
    first.kill()
    second = start()
    read = second.call("manage-preferences", action="get", key="k")
    assert read["structuredContent"]["preferences"] == {"k": {"kept": True}}
    second.end()
    with closing(sqlite3.connect(tmp_path / "concierge.sqlite3")) as database:
        sessions = database.execute("SELECT ended_at FROM sessions_session").fetchall()
        recorded = database.execute("SELECT outcome FROM tools_tool_call").fetchall()
    assert sessions == [(None,)]
    assert recorded == [("ok",), ("ok",)]


def test_ctrl_c_ends_it_quietly_and_without_notice(start_again: Start) -> None:
    process = start_again(CONCIERGE_STOP_NOTICE="15")
    assert len(process.workers) == 1
    assert "Traceback" not in process.end(signal.SIGINT)


def test_on_a_terminal_one_process_serves_without_a_parent(
    start_again: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    monkeypatch.setattr(Process, "stderr", theirs)
    process = start_again(CONCIERGE_STOP_NOTICE="15")
    assert not process.workers
    process.end(signal.SIGINT)
    os.close(theirs)
    with pytest.raises(OSError, match="Input/output error"):  # how a terminal says that it has nothing to say
        os.read(ours, 1)
    os.close(ours)


def test_a_port_in_use_is_said_before_anything_else(start: Start, tmp_path: Path) -> None:
    first = start()
    second = Process(tmp_path / "other", PORT=first.port)
    output = second.popen.communicate(timeout=30)[0]
    assert output.startswith(f"CommandError: Cannot listen on 127.0.0.1, port {first.port}")
    assert len(output.splitlines()) == 1
    assert not (tmp_path / "other" / "first-run.txt").exists()


def test_two_first_runs_at_once_agree(tmp_path: Path) -> None:
    both = [Process(tmp_path) for _ in range(2)]
    try:
        for process in both:
            process.wait_until_ready()
        for process in both:
            assert not process.call("get-user-profile")["isError"]
    finally:
        outputs = [process.end() for process in both]
    assert sum("First run" in output for output in outputs) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"HOST": "0.0.0.0"}, "CONCIERGE_PUBLIC_URL"),
        ({"WORKERS": "2"}, "WORKERS=2"),
        ({"PORT": "no"}, "PORT"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"CONCIERGE_DATA_DIR": "/dev/null/x"}, "CONCIERGE_DATA_DIR"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}, "DATABASE_URL"),
        ({"CONCIERGE_PUBLIC_URL": "mcp.example.com", "REDIS_URL": "http://x"}, "REDIS_URL"),
    ],
)
def test_what_is_unsafe_or_unreadable_is_refused_at_start(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    process = Process(tmp_path, **environment)
    output = process.popen.communicate(timeout=30)[0]
    assert process.popen.returncode != 0
    assert said in output
    assert "Traceback" not in output, output
    assert "short" not in output


def test_a_key_in_a_file_is_judged_like_one_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text("hello-world")
    process = Process(tmp_path)
    output = process.popen.communicate(timeout=30)[0]
    assert process.popen.returncode != 0
    assert "concierge.E003" in output
    assert "hello-world" not in output
