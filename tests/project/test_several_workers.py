"""Two workers on one socket: what one of them, or their parent, may suffer without anybody noticing."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from project.config import BASE_DIR
from tests.process import Process, until

from .clients import Clients

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def pair(two_workers: Callable[[], Process]) -> Process:
    process = two_workers()
    until(lambda: len(workers_of(process)) == 2)
    return process


def workers_of(process: Process) -> set[int]:
    """Children that serve. multiprocessing's own helper is a child too."""
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children").read_text().split()
    return {int(child) for child in children if "spawn_main" in command_of(int(child))}


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_served(process: Process) -> bool:
    return not process.call("get-user-profile")["isError"]


def test_each_of_two_workers_serves(pair: Process) -> None:
    for worker in workers_of(pair):
        with paused(worker):
            assert is_served(pair)


def test_a_killed_worker_is_replaced_and_its_sibling_serves_meanwhile(pair: Process) -> None:
    before = workers_of(pair)
    killed = before.pop()
    os.kill(killed, signal.SIGKILL)
    assert is_served(pair)
    until(lambda: len(workers_of(pair) - before) == 1, seconds=2)
    [new] = workers_of(pair) - before
    with paused(before.pop()):
        assert is_served(pair)  # by the new one, once it has started
    assert new in workers_of(pair)


def test_hup_replaces_the_workers_one_by_one_and_loses_no_call(pair: Process) -> None:
    before = workers_of(pair)
    clients = Clients(pair, 4, "wait", seconds=0.1)
    pair.popen.send_signal(signal.SIGHUP)
    until(lambda: len(workers_of(pair)) == 2 and not before & workers_of(pair))
    clients.leave()
    assert (clients.lost, clients.wrong) == ([], [])
    assert clients.answered > 10


ORPHAN = """
import socket, sys, threading, time
from project.workers import follow
lifeline = socket.socket(fileno=int(sys.argv[1]))
threading.Thread(target=follow, args=(lifeline,), daemon=True).start()
print("serving", flush=True)
time.sleep(60)
"""


def test_a_worker_is_told_to_stop_when_its_parent_has_ended() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-c", ORPHAN, str(theirs.fileno())]
        orphan = subprocess.Popen(
            command, cwd=BASE_DIR, pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    assert orphan.stdout is not None
    assert orphan.stdout.readline() == "serving\n"
    ours.close()
    assert orphan.communicate(timeout=10)[0].endswith("KeyboardInterrupt\n")  # what SIGINT is where nobody serves
