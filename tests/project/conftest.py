"""Servers for tests that need real processes."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.process import Process
from tests.services import own_database, own_redis

from .sockets import SocketServer, serving

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server on a directory of this test's own, and wait until it is ready."""
    with ExitStack() as running:
        yield starter(tmp_path, running)


@pytest.fixture(scope="session")
def start_again(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server with the tests' tools on a directory that was set up before, which is quicker."""
    with ExitStack() as running:
        yield starter(tmp_path_factory.mktemp("embedded"), running, DJANGO_SETTINGS_MODULE="tests.settings")


@pytest.fixture(scope="session")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Process]]:
    """A server with two, on services of its own: the one of the test before, unless that has ended it."""
    kept: list[Process] = []
    with ExitStack() as running:
        begin = starter(
            tmp_path_factory.mktemp("production"),
            running,
            DJANGO_SETTINGS_MODULE="tests.settings",
            DATABASE_URL=running.enter_context(own_database(f"test_processes_{os.getpid()}")),
            REDIS_URL=running.enter_context(own_redis()),
            WORKERS="5",  # which nobody should see: the flag goes before it
            CONCIERGE_STOP_NOTICE="1",
        )

        def get() -> Process:
            if not kept or kept[-1].popen.poll() is not None:
                kept.append(begin("--workers", "2"))
            return kept[-1]

        yield get


def starter(data_dir: Path, running: ExitStack, **defaults: str) -> Start:
    def begin(*arguments: str, **environment: str) -> Process:
        process = Process(data_dir, *arguments, **{**defaults, **environment})
        running.callback(process.kill)
        process.wait_until_ready()
        return process

    return begin


@pytest.fixture(scope="module")
def running() -> Iterator[SocketServer]:
    with serving() as sockets:
        yield sockets


@pytest.fixture
def sockets(running: SocketServer) -> Iterator[SocketServer]:
    """Nothing that a peer sends is an error of the server's."""
    yield running
    assert running.begin_anew() == []
