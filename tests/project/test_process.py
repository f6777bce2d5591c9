"""Real server processes: the first run, the next, and what a kill leaves behind."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from project.config import BASE_DIR
from tests.wire import Wire

pytestmark = pytest.mark.process
Start = Callable[..., "Process"]


class Process:
    """`manage.py serve` on a free port, started and waited for."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        environment = {"CONCIERGE_DATA_DIR": str(data_dir), "PORT": str(free_port()), **inherited, **environment}
        self.port = environment["PORT"]
        self.popen = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                if httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx2.TransportError:
                time.sleep(0.05)
        pytest.fail(f"not ready: {self.end()}")

    def end(self, number: int = signal.SIGTERM) -> str:
        """Everything it printed."""
        self.popen.send_signal(number)
        return self.popen.communicate(timeout=30)[0]

    def call(self, token: str, name: str, /, **arguments: Any) -> dict[str, Any]:
        wire = Wire(token)
        message = wire.request("tools/call", {"name": name, "arguments": arguments})
        headers = wire.headers(message) | {"host": f"127.0.0.1:{self.port}"}
        answer = httpx2.post(f"{self.url}/mcp", json=message, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result


def free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Process] = []

    def begin(**environment: str) -> Process:
        process = Process(tmp_path, **environment)
        running.append(process)
        process.wait_until_ready()
        return process

    yield begin
    for process in running:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()


def first_key(data_dir: Path) -> str:
    letter = (data_dir / "first-run.txt").read_text()
    found = re.search(r"cgk_\w+", letter)
    assert found is not None
    return found[0]


def test_the_first_run_makes_an_operator_a_key_and_secrets(start: Start, tmp_path: Path) -> None:
    process = start()
    key = first_key(tmp_path)
    assert process.call(key, "get-user-profile")["structuredContent"]["username"] == "operator"
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
    assert time.monotonic() - began < 10
    assert "First run" not in output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".txt"} == before
    assert (tmp_path / "secret-key").read_bytes() == secret


def test_after_a_kill_the_next_call_works_and_its_session_goes_on(start: Start, tmp_path: Path) -> None:
    first = start()
    key = first_key(tmp_path)
    first.call(key, "manage-preferences", action="set", key="k", value={"kept": True})
    first.end(signal.SIGKILL)
    second = start()
    read = second.call(key, "manage-preferences", action="get", key="k")
    assert read["structuredContent"]["preferences"] == {"k": {"kept": True}}
    second.end()
    with closing(sqlite3.connect(tmp_path / "concierge.sqlite3")) as database:
        sessions = database.execute("SELECT ended_at FROM sessions_session").fetchall()
        recorded = database.execute("SELECT outcome FROM tools_tool_call").fetchall()
    assert sessions == [(None,)]
    assert recorded == [("ok",), ("ok",)]


def test_a_graceful_end_finishes_calls_and_streams(start: Start, tmp_path: Path) -> None:
    process = start()
    key = first_key(tmp_path)
    wire = Wire(key)
    message = wire.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    headers = wire.headers(message) | {"host": f"127.0.0.1:{process.port}"}
    with httpx2.stream("POST", f"{process.url}/mcp", json=message, headers=headers, timeout=10) as stream:
        lines = stream.iter_lines()
        assert any("acknowledged" in line for line in lines)
        process.popen.send_signal(signal.SIGTERM)
        assert any('"resultType":"complete"' in line for line in lines)
    output = process.popen.communicate(timeout=10)[0]
    assert process.popen.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in output, output


def test_ctrl_c_ends_it_quietly(start: Start) -> None:
    process = start()
    assert "Traceback" not in process.end(signal.SIGINT)


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
        key = first_key(tmp_path)
        for process in both:
            assert not process.call(key, "get-user-profile")["isError"]
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
