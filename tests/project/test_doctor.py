"""The command itself: what it says of an installation, how, and within what time."""

import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from threading import Event

import pytest
from django.core.management import call_command
from django.core.management.color import color_style
from pydantic import SecretStr
from pytest_django import Settings

from project.config import Config
from project.doctor import configuration, data_directory
from project.doctor.discretion import Discretion
from project.doctor.examination import LONGEST, Case, Examination, examine
from project.doctor.finding import Away, Finding, Verdict, ok, problem
from project.doctor.report import lines_of
from project.management.commands import doctor
from tests.process import free_port
from tests.services import own_database, own_redis

from .patient import diagnose, found, serving

CANARY = "canary-of-a-password"
NOUNS = [
    "configuration", "data directory", "database", "migrations", "Redis", "channel layer", "cache", "server",
    "public URL", "proxy", "MCP over HTTP", "WebSocket", "mail", "people", "workers", "cleanup",
]  # fmt: skip


# --- As a whole ---


@pytest.mark.process
def test_all_is_well_with_an_embedded_server(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        diagnosis = diagnose(tmp_path, PORT=server.port)
        log = server.end()
    assert diagnosis.problems == []
    assert (diagnosis.status, diagnosis.err) == (0, "")
    assert list(dict.fromkeys(each["noun"] for each in diagnosis.findings)) == NOUNS
    assert diagnosis.of("WebSocket").keys() == {"upgrade", "ping"}
    assert diagnosis.of("MCP over HTTP").keys() == {"ping", "stream", "addresses"}
    assert not re.search("ERROR|Traceback", log)
    assert list_of_keys(tmp_path, server.port) == 1  # the first; the doctor's is gone


def list_of_keys(data_dir: Path, port: str) -> int:
    with sqlite3.connect(data_dir / "concierge.sqlite3") as database:
        rows = database.execute("SELECT count(*) FROM sessions_api_key").fetchone()[0]
        assert database.execute("SELECT count(*) FROM sessions_session").fetchone() == (0,)
    database.close()
    return int(rows)


@pytest.mark.process
@pytest.mark.postgres
@pytest.mark.redis
def test_all_is_well_with_two_workers(tmp_path: Path) -> None:
    with ExitStack() as services:
        environment = {
            "DATABASE_URL": services.enter_context(own_database(f"test_doctor_{os.getpid()}")),
            "REDIS_URL": services.enter_context(own_redis()),
            "WORKERS": "2",
            "PORT": str(free_port()),
        }
        services.enter_context(serving(tmp_path, **environment))
        diagnosis = diagnose(tmp_path, **environment)
        assert diagnosis.problems == []
        assert diagnosis.status == 0
        assert diagnosis.of("database").keys() == {
            "connection", "writes", "encoding", "isolation", "connections", "pooler", "clock"
        }  # fmt: skip
        for noun in ("database", "Redis", "channel layer", "MCP over HTTP", "WebSocket"):
            assert diagnosis.verdicts(noun) == {"ok"}, noun


@pytest.mark.process
def test_it_says_how_to_begin_where_nothing_runs(tmp_path: Path) -> None:
    diagnosis = diagnose(tmp_path, PORT=str(free_port()))
    assert diagnosis.of("server")["livez"]["verdict"] == "warning"
    assert diagnosis.of("server")["livez"]["mend"].startswith("make serve")
    assert [each["noun"] for each in diagnosis.problems] == ["database"]
    assert diagnosis.status == 1
    assert not (tmp_path / "concierge.sqlite3").exists()


@pytest.mark.process
@pytest.mark.parametrize("arguments", [("--json",), ("--no-color",)])
def test_it_says_what_is_wrong_with_an_environment_that_cannot_be_read(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    wrong = {"DATABASE_URL": f"mysql://me:{CANARY}@db/name", "PORT": "ninety"}
    diagnosis = diagnose(tmp_path, *arguments, **wrong)
    assert diagnosis.status == 1
    assert "DATABASE_URL: " in diagnosis.out
    assert "PORT: " in diagnosis.out
    assert CANARY not in diagnosis.out + diagnosis.err
    assert "\x1b" not in diagnosis.out
    if arguments == ("--json",):
        assert [each["noun"] for each in diagnosis.problems] == ["configuration"] * 2


@contextmanager
def black_holes(count: int) -> Iterator[list[int]]:
    """Ports that accept, and say nothing."""
    with ExitStack() as holes:
        made = [holes.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        yield [hole.getsockname()[1] for hole in made]


@pytest.mark.process
@pytest.mark.parametrize("is_verbose", [False, True])
def test_it_ends_soon_where_nothing_answers_and_gives_nothing_away(tmp_path: Path, is_verbose: bool) -> None:
    began = time.monotonic()
    diagnose(tmp_path, "--help")
    start = time.monotonic() - began
    with black_holes(5) as (database, redis, mail, public, local):
        began = time.monotonic()
        diagnosis = diagnose(
            tmp_path,
            *(["--no-color", "--traceback"] if is_verbose else ["--json"]),
            DATABASE_URL=f"postgres://me:{CANARY}@127.0.0.1:{database}/name",
            REDIS_URL=f"redis://:{CANARY}@127.0.0.1:{redis}/0",
            EMAIL_URL=f"smtp://me:{CANARY}@127.0.0.1:{mail}",
            SECRET_KEY=f"{CANARY}-7f0a9d1e4b6c8253",
            CONCIERGE_PUBLIC_URL=f"http://127.0.0.1:{public}",
            CONCIERGE_DOCTOR_KEY=f"cgk_{CANARY}",
            PORT=str(local),
        )
        took = time.monotonic() - began
    assert took < LONGEST + 2 + 2 * start
    assert CANARY not in diagnosis.out + diagnosis.err
    if not is_verbose:
        assert diagnosis.err == ""
        # The key has a placeholder's word in it.
        away = [each["noun"] for each in diagnosis.problems]
        assert away == [
            "configuration",
            "database",
            "Redis",
            "server",
            "public URL",
            "mail",
        ]  # "password" in the key
        for noun in ("migrations", "channel layer", "cache", "proxy", "WebSocket", "people", "cleanup"):
            assert diagnosis.verdicts(noun) == {"skipped"}, noun


# --- Its parts ---


def test_every_file_of_it_is_asked() -> None:
    folder = Path(configuration.__file__).parent
    examined = {path.stem for path in folder.glob("*.py") if "@examination(" in path.read_text()}
    assert examined == set(doctor.NOUNS)


def test_every_noun_is_documented() -> None:
    text = (Path(configuration.__file__).parents[2] / "docs" / "doctor.md").read_text()
    for noun in NOUNS:
        assert f"## {noun}\n" in text


def test_what_hangs_is_said_and_what_waits_for_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.doctor.examination.LONGEST", 0.2)
    for_ever = Event()

    def hangs(case: Case) -> Iterator[Finding]:
        yield ok("first", "It begins.")
        for_ever.wait()

    def quick(case: Case) -> Iterator[Finding]:
        yield ok("only", "It is there.")

    chosen = [
        Examination("hangs", hangs, (), ()),
        Examination("waits", quick, ("hangs",), ()),
        Examination("quick", quick, (), ()),
    ]
    said = {noun: [each.verdict for each in findings] for noun, findings in examine(Case(), chosen)}
    for_ever.set()
    assert said == {"hangs": [Verdict.OK, Verdict.PROBLEM], "waits": [Verdict.SKIPPED], "quick": [Verdict.OK]}


def raising(error: Exception) -> Iterator[Finding]:
    raise error


def test_what_is_away_is_one_sentence_and_what_needs_it_is_skipped() -> None:
    def away(case: Case) -> Iterator[Finding]:
        yield from raising(Away(problem("connection", "It is away.", "Start it")))

    def breaks(case: Case) -> Iterator[Finding]:
        yield from raising(RuntimeError("oh"))

    def needs(case: Case) -> Iterator[Finding]:
        yield ok("never", "")

    chosen = [
        Examination("away", away, (), ()),
        Examination("needs", needs, ("away",), ()),
        Examination("further", needs, ("needs",), ()),
        Examination("breaks", breaks, (), ()),
    ]
    said = {noun: [each.verdict for each in findings] for noun, findings in examine(Case(), chosen)}
    assert said == {
        "away": [Verdict.PROBLEM], "needs": [Verdict.SKIPPED], "further": [Verdict.SKIPPED],
        "breaks": [Verdict.PROBLEM],
    }  # fmt: skip


def test_it_strikes_out_a_password_however_it_is_written() -> None:
    config = Config.model_construct(
        database_url="postgres://me:p%40ss%23word@db/me?sslpassword=of-the-key", redis_url="redis://:abcd@cache/0",
        email_url=None, secret_key=None, secret_key_fallbacks=[], metrics_token=SecretStr("token-of-metrics"),
    )  # fmt: skip
    finding = problem("a", "p%40ss%23word p@ss#word of-the-key abcd token-of-metrics", "p@ss#word")
    assert Discretion(config).of(finding) == problem("a", "… … … … …", "…")


def test_a_line_is_aligned_and_a_command_stays_whole() -> None:
    command = "manage.py " + "x" * 120
    style = color_style(force_color=True)
    first, second, mend = lines_of("database", problem("a", "word " * 25, command), style)
    assert re.sub(r"\x1b\[[0-9;]*m", "", first).startswith("database        problem  word")
    assert "\x1b" in first
    assert second.startswith(" " * 25 + "word")
    assert mend == " " * 25 + "→ " + command


def test_it_finds_what_system_checks_find(settings: Settings) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"workers": 4, "redis_url": None, "host": "0.0.0.0"})
    settings.SECRET_KEY = "changeme" * 8
    findings = found(configuration.configuration)
    assert findings["concierge.E001"].verdict is Verdict.PROBLEM
    assert "REDIS_URL" in findings["concierge.E001"].mend
    assert findings["concierge.E003"].verdict is Verdict.PROBLEM
    assert findings["host"].verdict is Verdict.PROBLEM


def test_it_warns_of_a_public_url_without_tls(settings: Settings) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"public_url": "http://mcp.example.com"})
    settings.OWN_NAME = "mcp.example.com"
    assert found(configuration.configuration)["https"].verdict is Verdict.WARNING


def test_it_tells_who_else_may_read_the_secrets(settings: Settings, tmp_path: Path) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"data_dir": tmp_path})
    secret = tmp_path / "secret-key"
    secret.write_text("x")
    secret.chmod(0o640)
    permissions = found(data_directory.data_directory)["permissions"]
    assert (permissions.verdict, permissions.mend) == (Verdict.PROBLEM, f"chmod 600 {secret}")
    secret.chmod(0o600)
    assert found(data_directory.data_directory)["permissions"].verdict is Verdict.OK


def test_it_tells_that_the_data_directory_is_missing_or_cannot_be_written(settings: Settings) -> None:
    for place, check in (("/nowhere/at/all", "exists"), ("/proc/self", "writable")):
        settings.CONFIG = settings.CONFIG.model_copy(update={"data_dir": Path(place)})
        assert found(data_directory.data_directory)[check].verdict is Verdict.PROBLEM


def test_it_tells_that_the_disk_is_nearly_full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_directory, "LITTLE", 2**60)
    assert found(data_directory.data_directory)["disk space"].verdict is Verdict.WARNING
    monkeypatch.setattr(data_directory, "LEAST", 2**60)
    assert found(data_directory.data_directory)["disk space"].verdict is Verdict.PROBLEM


@pytest.mark.usefixtures("db_for_threads")
def test_called_from_python_it_writes_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda case: [("cache", [problem("a", "It is away.", "Start it")])])
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=out, no_color=True, traceback=True)
    assert end.value.code == 1
    assert out.getvalue().endswith("\n1 problem, no warnings in 1 checks.\n")
