"""What the doctor says of databases that are missing, empty, of another release, too small or behind a pooler."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session as SignIn
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from project.doctor.cleanup import cleanup
from project.doctor.database import database
from project.doctor.examination import Case
from project.doctor.finding import Verdict
from project.doctor.migrations import migrations
from project.doctor.people import people
from project.doctor.workers import workers
from sessions_app.models import User, Worker
from tests.conftest import make_user
from tests.services import postgres_url
from tools_app.models import ToolPolicy

from .meddling import on_a_thread
from .patient import Diagnosis, diagnose, found


def of_postgres(data_dir: Path, url: str, **environment: str) -> Diagnosis:
    redis = {"REDIS_URL": "redis://127.0.0.1:1/0"}
    return diagnose(data_dir, DATABASE_URL=url, PORT="1", **redis, **environment)


def named(name: str, url: str | None = None) -> str:
    return urlsplit(url or str(postgres_url()))._replace(path=f"/{name}").geturl()


@contextmanager
def made(options: str = "") -> Iterator[str]:
    """A database of a test's own, empty."""
    name = f"test_doctor_{os.getpid()}"
    with psycopg.connect(str(postgres_url()), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} {options}")
        try:
            yield named(name)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
@pytest.mark.process
def test_it_tells_how_to_make_a_database_that_is_missing(tmp_path: Path) -> None:
    diagnosis = of_postgres(tmp_path, named("no_such_database"))
    missing = diagnosis.of("database")["connection"]
    assert missing["verdict"] == "problem"
    assert missing["mend"].startswith("createdb --encoding UTF8")
    assert missing["mend"].endswith("no_such_database")
    for noun in ("migrations", "people", "workers", "cleanup"):
        assert diagnosis.verdicts(noun) == {"skipped"}


@pytest.mark.process
def test_it_tells_that_nobody_listens(tmp_path: Path) -> None:
    away = of_postgres(tmp_path, "postgres://me:canary-of-postgres@127.0.0.1:1/name")
    assert away.of("database")["connection"]["mend"].startswith("Start PostgreSQL")
    assert "canary" not in away.out + away.err


@pytest.mark.postgres
@pytest.mark.process
def test_it_tells_that_a_database_is_empty_and_has_few_places(tmp_path: Path) -> None:
    with made() as url:
        diagnosis = of_postgres(tmp_path, url, WORKERS="50")
        found = diagnosis.of("database")
    assert found["connections"]["verdict"] == "warning"
    assert "WORKERS=50 may take 801 connections" in found["connections"]["says"]
    assert "max_connections" in found["connections"]["mend"]
    assert {each["verdict"] for check, each in found.items() if check != "connections"} == {"ok"}
    assert diagnosis.of("migrations")["applied"]["mend"].endswith("manage.py migrate")
    assert diagnosis.verdicts("people") == {"skipped"}


@pytest.mark.postgres
@pytest.mark.process
def test_it_tells_of_another_encoding_another_isolation_and_no_writes(tmp_path: Path) -> None:
    with made("ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0") as url:
        name = urlsplit(url).path[1:]
        with psycopg.connect(url, autocommit=True) as admin:
            for setting in (
                "default_transaction_isolation TO 'serializable'",
                "default_transaction_read_only TO on",
            ):
                admin.execute(f"ALTER DATABASE {name} SET {setting}")
            admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 10")
        found = of_postgres(tmp_path, url).of("database")
    assert found["encoding"]["verdict"] == "problem"
    assert found["isolation"]["verdict"] == "warning"
    assert found["writes"]["verdict"] == "problem"
    assert "RESET default_transaction_read_only" in found["writes"]["mend"]
    assert "CONNECTION LIMIT 17" in found["connections"]["mend"]


@pytest.mark.postgres
@pytest.mark.process
def test_it_tells_that_a_pooler_is_between(tmp_path: Path) -> None:
    """One that answers with a process id of its own, as pgbouncer does."""
    parts = urlsplit(str(postgres_url()))
    place = (parts.hostname or "127.0.0.1", parts.port or 5432)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        below, above = await asyncio.open_connection(*place)

        async def up() -> None:
            while data := await reader.read(65536):
                above.write(data)
            above.close()

        sending = asyncio.create_task(up())
        while data := await below.read(65536):
            at = data.find(b"K\0\0\0\x0c")
            writer.write(data if at < 0 else data[: at + 5] + b"\0\0\0\1" + data[at + 9 :])
        sending.cancel()
        writer.close()

    with on_a_thread(serve) as port, made() as url:
        netloc = f"{parts.username}@127.0.0.1:{port}"
        behind = urlsplit(url)._replace(netloc=netloc, query="sslmode=disable").geturl()
        pooler = of_postgres(tmp_path, behind).of("database")["pooler"]
    assert pooler["verdict"] == "warning"
    assert "pool_mode = session" in pooler["mend"]


# --- What is in it ---


@pytest.mark.usefixtures("db_for_threads")
def test_it_has_nothing_to_say_of_a_good_one() -> None:
    assert {each.verdict for each in found(database).values()} == {Verdict.OK}


@pytest.mark.process
def test_it_tells_that_the_file_is_none(tmp_path: Path) -> None:
    path = tmp_path / "concierge.sqlite3"
    path.write_bytes(b"no database, whatever its name" * 100)
    diagnosis = diagnose(tmp_path, PORT="1")
    assert "integrity_check" in diagnosis.of("database")["connection"]["mend"]


@pytest.mark.usefixtures("db_for_threads")
def test_it_tells_of_migrations_that_are_missing_or_of_a_newer_release() -> None:
    rows = MigrationRecorder.Migration.objects
    last = rows.filter(app="sessions_app").order_by("name").last()
    assert last is not None
    rows.filter(pk=last.pk).delete()
    try:
        applied = found(migrations)["applied"]
        assert applied.verdict is Verdict.PROBLEM
        assert f"sessions_app.{last.name}" in applied.says
    finally:
        rows.create(app=last.app, name=last.name)
    newer = rows.create(app="sessions_app", name="9999_of_tomorrow")
    try:
        assert "sessions_app.9999_of_tomorrow" in found(migrations)["newer"].says
    finally:
        newer.delete()


@pytest.mark.usefixtures("db_for_threads")
def test_it_tells_which_rows_migrating_would_make() -> None:
    assert not ToolPolicy.objects.exists()
    assert found(migrations)["tools"].verdict is Verdict.WARNING
    row = Permission.objects.filter(codename="call_get-user-profile")
    pk = row.get().pk
    row.update(codename="renamed")
    try:
        missing = found(migrations)["permissions"]
    finally:
        Permission.objects.filter(pk=pk).update(codename="call_get-user-profile")
    assert missing.verdict is Verdict.PROBLEM
    assert "call_get-user-profile" in missing.says


@pytest.mark.usefixtures("db_for_threads")
def test_it_tells_that_nobody_can_let_others_in() -> None:
    assert found(people)["operator"].verdict is Verdict.WARNING
    make_user("alice")
    assert found(people)["operator"].mend.endswith("createsuperuser")
    operator = User.objects.create_superuser("operator", password=None)
    assert found(people)["sign in"].mend.endswith("changepassword operator")
    operator.set_password("correct horse")
    operator.save()
    assert found(people)["sign in"].verdict is Verdict.OK
    operator.is_active = False
    operator.save()
    assert found(people)["operator"].verdict is Verdict.PROBLEM


def a_worker(version: str, **values: object) -> None:
    now = timezone.now()
    times = {"started_at": now, "seen_at": now}
    Worker.objects.create(instance=version, host="here", pid=1, version=version, **{**times, **values})


@pytest.mark.usefixtures("db_for_threads")
def test_it_tells_of_workers_that_are_silent_or_of_another_release(settings: Settings) -> None:
    assert found(workers)["alive"].verdict is Verdict.PROBLEM
    assert found(workers, Case(absent={"server"}))["alive"].verdict is Verdict.SKIPPED
    a_worker("long-gone", seen_at=timezone.now() - timedelta(minutes=2))
    assert found(workers)["alive"].verdict is Verdict.PROBLEM
    a_worker(settings.VERSION)
    assert {each.verdict for each in found(workers).values()} == {Verdict.OK}
    a_worker("0.0.9")
    assert "0.0.9" in found(workers)["release"].says
    Worker.objects.all().delete()


@pytest.mark.usefixtures("db_for_threads")
def test_it_tells_that_nobody_cleans_up() -> None:
    assert found(cleanup)["overdue"].verdict is Verdict.OK
    row = SignIn(session_key="k" * 32, session_data="", expire_date=timezone.now() - timedelta(days=2))
    row.save()
    assert found(cleanup)["overdue"].verdict is Verdict.OK
    row.expire_date -= timedelta(days=2)
    row.save()
    overdue = found(cleanup)["overdue"]
    assert overdue.verdict is Verdict.WARNING
    assert "1 rows are due" in overdue.says
    assert "manage.py cleanup" in overdue.mend


@pytest.mark.process
def test_it_does_not_wait_for_a_database_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        began = time.monotonic()
        away = of_postgres(tmp_path, f"postgres://me@127.0.0.1:{hole.getsockname()[1]}/name")
    assert away.of("database").keys() == {"connection"}
    assert time.monotonic() - began < 30
