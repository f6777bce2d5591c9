"""Real server processes: `manage.py serve` on a free port, and the means to start, ask and end it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from project.config import BASE_DIR
from tests.wire import Wire

NOT_HERE_YET = (httpx2.TransportError, ConnectionError)


class Process:
    """Started at once; wait until it is ready before asking it anything."""

    def __init__(self, data_dir: Path, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
        own = {"CONCIERGE_DATA_DIR": str(data_dir), "PORT": str(free_port()), "CONCIERGE_STOP_NOTICE": "0"}
        environment = {**own, **inherited, **environment}
        self.data_dir = data_dir
        self.port = environment["PORT"]
        self.popen = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
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

    def is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except NOT_HERE_YET:
            return False

    def wait_until_ready(self) -> None:
        until(lambda: self.popen.poll() is not None or self.is_ready())
        if self.popen.poll() is not None:
            pytest.fail(f"not ready: {self.popen.communicate()[0]}")

    def end(self, number: int = signal.SIGTERM) -> str:
        """Everything it printed."""
        self.popen.send_signal(number)
        return self.popen.communicate(timeout=30)[0]

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()

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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail("did not happen in time")
        time.sleep(0.02)
