"""`manage.py call` in a process of its own: what it prints, its exit status, and that it always ends."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from project.config import BASE_DIR
from tests.services import own_database

pytestmark = pytest.mark.process


class Shell:
    """Runs `manage.py` with the tests' settings on a database of its own."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        own = {"CONCIERGE_DATA_DIR": str(data_dir), "DJANGO_SETTINGS_MODULE": "tests.settings"}
        self.data_dir = data_dir
        self.environment = {**inherited, **own, **environment}

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=BASE_DIR, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def call(self, tool: str, arguments: str = "{}") -> tuple[int, str, str]:
        return self.run("call", tool, "--user", "ada", "--args", arguments)

    def outcomes(self) -> list[str]:
        """Of the record, the newest first."""
        url = self.environment.get("DATABASE_URL")
        opened = psycopg.connect(url) if url else sqlite3.connect(self.data_dir / "concierge.sqlite3")
        with closing(opened) as database:
            rows = database.execute("SELECT outcome FROM tools_tool_call ORDER BY id DESC")
            return [outcome for (outcome,) in rows]


def new_shell(data_dir: Path, **environment: str) -> Shell:
    """With a member called ada."""
    shell = Shell(data_dir, **environment)
    assert shell.run("migrate", "-v0")[0] == 0
    assert shell.run("createkey", "ada", "--name", "x", "--create-user", "--quiet")[0] == 0
    return shell


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return new_shell(tmp_path_factory.mktemp("data"))


@pytest.fixture
def postgres_shell(tmp_path: Path) -> Iterator[Shell]:
    with own_database(f"concierge_call_{os.getpid()}") as url:
        yield new_shell(tmp_path, DATABASE_URL=url)


def test_a_shell_gets_the_text_and_the_status(shell: Shell) -> None:
    assert shell.call("echo", '{"text": "hi"}') == (0, "hi\n", "")
    assert shell.call("refuse") == (1, "", "CommandError: Out of tea\n")
    assert shell.outcomes() == ["error", "ok"]


@pytest.mark.postgres
def test_it_works_with_postgresql(postgres_shell: Shell) -> None:
    setting = '{"action": "set", "key": "a", "value": 1}'
    status, said, told = postgres_shell.call("manage-preferences", setting)
    assert (status, said) == (0, "Preference 'a' updated\n")
    assert told.startswith('info: {"message": "User preference updated", ')
    assert postgres_shell.call("refuse") == (1, "", "CommandError: Out of tea\n")
    assert postgres_shell.outcomes() == ["error", "ok"]


def test_ctrl_c_ends_it_and_is_recorded(shell: Shell) -> None:
    process = shell.begin("call", "hold", "--user", "ada")
    assert process.stderr is not None
    assert process.stderr.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "CommandError: Stopped.\n")
    assert shell.outcomes()[0] == "cancelled"


def test_a_thread_that_is_stuck_in_a_tool_does_not_keep_it(shell: Shell) -> None:
    status, out, err = shell.call("stuck")
    assert (status, out) == (1, "")
    assert "CommandError: Stopped after 0.1 s; nothing was changed." in err
    assert shell.outcomes()[0] == "timeout"
