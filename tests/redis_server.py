"""A Redis of a test's own, which it may kill, pause and empty."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from tests.process import free_port

STARTS_WITHIN = 10


class RedisServer:
    def __init__(self, home: str) -> None:
        self._home = home
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """On the same port as before, and empty."""
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            self._home,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + STARTS_WITHIN
        while not is_listening(self.port):
            if time.monotonic() > deadline:
                raise TimeoutError("redis-server does not start")
            time.sleep(0.01)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """It keeps its connections and says nothing any more: the worst way to be away."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def become_read_only(self) -> None:
        """A replica of a master that is not there: it still reads."""
        with redis.Redis.from_url(self.url) as client:
            client.replicaof("127.0.0.1", "1")

    def become_writable(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.replicaof("NO", "ONE")

    def fill(self) -> None:
        """It takes nothing more."""
        with redis.Redis.from_url(self.url) as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1kb")

    def make_room(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.config_set("maxmemory", "0")

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed here")
    with tempfile.TemporaryDirectory(prefix="concierge-redis-") as home:
        server = RedisServer(home)
        try:
            yield server
        finally:
            server.kill()
