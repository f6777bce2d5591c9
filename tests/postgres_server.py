"""A PostgreSQL of a test's own, which it may stop, pause, fill, and make read-only."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.process import free_port

STARTS_WITHIN = 30
ACCOUNT = "postgres"
"""Who runs it where we are root, as whom it refuses to run."""
MOST_CONNECTIONS = 60
SETTINGS = {
    "max_connections": MOST_CONNECTIONS,
    "superuser_reserved_connections": 3,
    "shared_buffers": "16MB",
    "fsync": "off",  # nobody cuts the power
    "jit": "off",
}


Connection = psycopg.Connection[tuple[object, ...]]


class PostgresServer:
    def __init__(self, home: Path, programs: Path) -> None:
        self._home, self._programs = home, programs
        self._data = home / "data"
        self.port = free_port()
        self._run("initdb", "--pgdata", self._data, "--auth=trust", "--username=postgres", "--no-sync")
        self.start()
        with self.connected("postgres", "postgres") as connection:
            connection.execute("CREATE ROLE concierge LOGIN")
            connection.execute("CREATE DATABASE concierge OWNER concierge")

    def url(self, port: int | None = None) -> str:
        """For a user who may not use what is reserved for superusers. `port`: of what stands in front of it."""
        return f"postgres://concierge@127.0.0.1:{port or self.port}/concierge"

    def connected(self, user: str = "postgres", database: str = "concierge") -> Connection:
        return psycopg.connect(f"postgres://{user}@127.0.0.1:{self.port}/{database}", autocommit=True)

    def start(self) -> None:
        """On the same port, with what it had."""
        given = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        places = [f"-cport={self.port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={self._home}"]
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._data, *places, *given],
            cwd=self._home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_account(),
        )  # fmt: skip
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._takes_somebody():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError("postgres does not start")
            time.sleep(0.02)

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT: the fast way, in which transactions are aborted. SIGQUIT: at once, as in a crash."""
        self._process.send_signal(how)
        self._process.wait(STARTS_WITHIN)

    def crash(self) -> None:
        self.stop(signal.SIGQUIT)

    def pause(self) -> None:
        """All its processes: connections stay, and nobody says anything. New ones wait in the kernel's queue."""
        self._process.send_signal(signal.SIGSTOP)  # first, so that it makes no more of them
        self._signal_children(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal_children(signal.SIGCONT)
        self._process.send_signal(signal.SIGCONT)

    def drop_connections(self) -> None:
        """All that a failover or an administrator ends, while the server stays."""
        with self.connected() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'concierge'"
            )

    def become_read_only(self) -> None:
        self._set("default_transaction_read_only", "on")

    def become_writable(self) -> None:
        self._set("default_transaction_read_only", "off")

    def _set(self, name: str, value: str) -> None:
        with self.connected() as connection:
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
            connection.execute("SELECT pg_reload_conf()")

    @contextmanager
    def full(self) -> Iterator[None]:
        """All connections that there may be are others', as far as they are to be had."""
        taken: list[Connection] = []
        try:
            with suppress(psycopg.OperationalError):
                while True:
                    taken.append(self.connected("concierge"))
            yield
        finally:
            for connection in taken:
                connection.close()

    def end(self) -> None:
        if self._process.poll() is None:
            self.go_on()
            self.crash()

    def _takes_somebody(self) -> bool:
        try:
            psycopg.connect(f"postgres://postgres@127.0.0.1:{self.port}/postgres", connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def _signal_children(self, number: int) -> None:
        postmaster = self._process.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._home,
            check=True,
            capture_output=True,
            **as_account(),
        )


def as_account() -> dict[str, Any]:
    return {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}


def programs() -> Path | None:
    """Debian keeps them out of the path."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places and (places[-1] / "initdb").exists() else None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    if (found := programs()) is None:
        pytest.skip("PostgreSQL's server is not installed here")
    with tempfile.TemporaryDirectory(prefix="concierge-postgres-") as home:
        if os.geteuid() == 0:
            shutil.chown(home, ACCOUNT)
        server = PostgresServer(Path(home), found)
        try:
            yield server
        finally:
            server.end()
