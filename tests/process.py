"""Real server processes: `manage.py serve` on a free port, and the means to start, ask and end it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from project.config import BASE_DIR
from tests.wire import Durable, Wire

NOT_HERE_YET = (httpx2.TransportError, ConnectionError)


class Process:
    """Started at once; wait until it is ready before asking it anything."""

    stderr = subprocess.STDOUT
    command: Sequence[str] = (sys.executable, "manage.py", "serve")

    def __init__(self, data_dir: Path, *arguments: str, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        own = {"CONCIERGE_DATA_DIR": str(data_dir), "PORT": str(free_port()), "CONCIERGE_STOP_NOTICE": "0"}
        environment = {**own, **inherited, **environment}
        self.data_dir = data_dir
        self._environment = environment
        self.port = environment["PORT"]
        self.popen = subprocess.Popen(
            [*self.command, *arguments],
            cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=self.stderr, text=True,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        """The first one, from the letter to the operator."""
        found = re.search(r"cgk_\w+", (self.data_dir / "first-run.txt").read_text())
        assert found is not None
        return found[0]

    def manage(self, *arguments: str) -> str:
        """What `manage.py` printed, in the same environment."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=BASE_DIR, env=self._environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except NOT_HERE_YET:
            return False

    def wait_until_ready(self, seconds: float = 30) -> None:
        until(lambda: self.popen.poll() is not None or self.is_ready(), seconds)
        if self.popen.poll() is not None:
            pytest.fail(f"not ready: {self.popen.communicate()[0]}")

    def end(self, number: int = signal.SIGTERM) -> str:
        """Everything it printed."""
        self.popen.send_signal(number)
        return self.popen.communicate(timeout=30)[0]

    @property
    def workers(self) -> set[int]:
        """Process ids of the children that serve. multiprocessing's own helper is a child too. Linux only."""
        children = text_of(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").split()
        return {int(child) for child in children if "spawn_main" in text_of(f"/proc/{child}/cmdline")}

    def kill(self) -> None:
        """At once, and with nobody left to finish anything."""
        if self.popen.poll() is None:
            workers = self.workers
            self.popen.kill()
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        self.popen.communicate(timeout=30)

    def open_session(self) -> Durable:
        """A client of the handshake era that shook hands."""
        client = Durable(self.key)
        about = {"clientInfo": client.client, "capabilities": client.capabilities}
        answer = self.post(client, client.request("initialize", {"protocolVersion": client.version, **about}))
        client.session_id = answer.headers["mcp-session-id"]
        self.post(client, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        return client

    def post(self, client: Durable, message: dict[str, Any]) -> httpx2.Response:
        answer = httpx2.post(f"{self.url}/mcp", json=message, headers=self.headers(client), timeout=30)
        assert answer.is_success, answer.text
        return answer

    def headers(self, client: Durable) -> dict[str, str]:
        headers = client.headers() | {"host": f"127.0.0.1:{self.port}"}
        return {name: value for name, value in headers.items() if value is not None}

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What `httpx2.post` and `httpx2.stream` take."""
        wire = Wire(self.key)
        message = wire.request(method, params)
        headers = wire.headers(message) | {"host": f"127.0.0.1:{self.port}"}
        return {"url": f"{self.url}/mcp", "json": message, "headers": headers, "timeout": 30}

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        answer = httpx2.post(**self.request("tools/call", {"name": name, "arguments": arguments}))
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result


def text_of(path: str) -> str:
    """Nothing of a process that has ended."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail("did not happen in time")
        time.sleep(0.02)
