"""Real servers for the tests that kill them: one database and one Redis, any number of processes."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from project.config import BASE_DIR
from tests.services import own_database, own_redis, postgres_url, redis_url

STARTS_WITHIN = 60
STOPS_WITHIN = 30
HEALTH = {"host": "localhost"}
"""Which is served under whatever public URL."""


class Server:
    """`manage.py serve`, of one process or several, and how to end it."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home / f"{self.port}.log"
        self._environment = environment | {"PORT": str(self.port)}
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=BASE_DIR, env=self._environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def restart(self) -> None:
        """As an operator does: told to stop, started on the same port when it has ended, and waited for."""
        self.end()
        self.process = self._start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}/readyz", headers=HEALTH, timeout=5).status_code == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"The server was not ready:\n{self.log.read_text()}")

    def workers(self) -> list[int]:
        """Process ids of those that serve, the oldest first; the parent only looks after them. Linux only."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if "spawn_main" in command_of(pid)]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOPS_WITHIN)


def command_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has just ended
        return ""


class Site:
    """A database and a Redis of its own, emptied afterwards, and what servers on them need to know."""

    def __init__(self, home: Path, database: str = "", redis: str = "") -> None:
        """Without services: embedded, on SQLite."""
        self.home = home
        self.database = database
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        self.environment = inherited | {
            "DJANGO_SETTINGS_MODULE": "tests.failure.settings",
            "CONCIERGE_DATA_DIR": str(home),
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "CONCIERGE_LOG_LEVEL": "WARNING",
            "CONCIERGE_CALL_RATE": "999999/m",
            "CONCIERGE_KEY_RATE": "999999/m",
            "CONCIERGE_POST_RATE": "999999/m",
            "CONCIERGE_STOP_NOTICE": "0",
        }
        self._servers: list[Server] = []

    def start(self, **environment: str) -> Server:
        server = Server(self.home, self.environment | environment)
        self._servers.append(server)
        server.wait_until_ready()
        return server

    def run(self, *command: str) -> list[str]:
        """The lines that Python printed."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=BASE_DIR, env=self.environment, check=True, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        return done.stdout.splitlines()

    def keys(self, *users: str) -> list[str]:
        return self.run("-m", "tests.failure.keys", *users)

    def cookies(self, *users: str) -> list[str]:
        """Of browsers in which these users, who have keys already, are signed in."""
        return self.run("-m", "tests.failure.cookies", *users)

    def end(self) -> None:
        for server in self._servers:
            if server.process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    server.end()
                server.process.kill()
                server.process.wait()


@contextmanager
def embedded() -> Iterator[Site]:
    """A directory of its own, and no services."""
    with tempfile.TemporaryDirectory(prefix="concierge-") as home:
        here = Site(Path(home))
        try:
            yield here
        finally:
            here.end()


@contextmanager
def site() -> Iterator[Site]:
    """Raises: RuntimeError without PostgreSQL and Redis."""
    for name, url in {"PostgreSQL": postgres_url(), "Redis": redis_url()}.items():
        if url is None:
            raise RuntimeError(f"{name} does not answer, and these tests need it")
    with (
        tempfile.TemporaryDirectory(prefix="concierge-") as home,
        own_database(f"concierge_failure_{os.getpid()}") as database,
        own_redis() as redis,
    ):
        here = Site(Path(home), database, redis)
        try:
            yield here
        finally:
            here.end()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
