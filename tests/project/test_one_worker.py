"""One worker and its parent, as a service manager starts them: what replaces it, and what ends them."""

import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from project.server import SAME_STOP
from project.workers import CHANCES
from tests.process import NOT_HERE_YET, Process, paused, until

from .clients import Clients, cling
from .conftest import Start
from .impatient import ENDS_WITHIN

pytestmark = pytest.mark.process
NOTICE = 15
"""Seconds that a stop would take."""


@pytest.fixture(scope="module", autouse=True)
def unmoved(start_again: Start) -> Process:
    """A server whose worker does not move any more. It takes a while to show, so it begins before the others."""
    process = start_again(DJANGO_SETTINGS_MODULE="tests.project.watchful")
    os.kill(sole_worker(process), signal.SIGSTOP)
    return process


@pytest.fixture(scope="module")
def alone(start_again: Start) -> Process:
    return start_again(CONCIERGE_STOP_NOTICE=str(NOTICE))


def sole_worker(process: Process) -> int:
    [worker] = process.workers
    return worker


def test_hup_replaces_it_and_loses_no_call(alone: Process) -> None:
    before = sole_worker(alone)
    clients = Clients(alone, 4, "wait", seconds=0.1)
    alone.popen.send_signal(signal.SIGHUP)
    until(lambda: len(alone.workers) == 1 and before not in alone.workers)
    clients.leave()
    assert (clients.lost, clients.wrong) == ([], [])
    assert clients.answered > 10


def test_a_call_that_waits_for_a_person_survives_a_hup(alone: Process) -> None:
    before, client = sole_worker(alone), alone.open_session()
    asking = client.calling("ask", {"text": "Tea"})
    with httpx2.stream(
        "POST", f"{alone.url}/mcp", json=asking, headers=alone.headers(client), timeout=10
    ) as answer:
        messages = (json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data: {"))
        question = next(message for message in messages if message.get("method") == "elicitation/create")
        alone.popen.send_signal(signal.SIGHUP)
        reply = {"action": "accept", "content": {"sure": True}}
        with paused(before):  # so that its successor receives the reply
            alone.post(client, {"jsonrpc": "2.0", "id": question["id"], "result": reply})
        assert list(messages)[-1]["result"]["content"][0]["text"] == "Tea: yes"
    until(lambda: before not in alone.workers)


def test_a_second_signal_ends_it_at_once(alone: Process) -> None:
    with closing(cling(alone, "wait", seconds=4)):
        began = time.monotonic()
        alone.popen.send_signal(signal.SIGTERM)
        until(lambda: not alone.is_ready() and time.monotonic() > began + SAME_STOP + 0.5)
        alone.end()
    assert time.monotonic() - began < NOTICE / 2


def is_stuck(process: Process) -> bool:
    try:
        httpx2.get(f"{process.url}/livez", timeout=0.5)
    except NOT_HERE_YET:
        return True
    return False


def test_what_keeps_the_lock_of_python_outlives_neither_a_hup_nor_a_stop(start_again: Start) -> None:
    process = start_again(DJANGO_SETTINGS_MODULE="tests.project.impatient")
    before = sole_worker(process)
    with closing(cling(process, "keep-the-lock")):
        until(lambda: is_stuck(process))
        process.popen.send_signal(signal.SIGHUP)
        until(lambda: len(process.workers) == 1 and before not in process.workers)
    with closing(cling(process, "keep-the-lock")):
        until(lambda: is_stuck(process))
        began = time.monotonic()
        output = process.end()
    assert time.monotonic() - began < ENDS_WITHIN + 3
    assert output.count("was told to end and did not: killed") == 2
    assert process.popen.returncode == 0


@pytest.mark.parametrize(("fate", "starts"), [("fails", 1), ("is killed", CHANCES + 1)])
def test_a_server_none_of_whose_workers_can_start_ends_with_status_1(
    tmp_path: Path, fate: str, starts: int
) -> None:
    process = Process(tmp_path, DJANGO_SETTINGS_MODULE="tests.project.unable", FATE=fate)
    output = process.popen.communicate(timeout=30)[0]
    assert process.popen.returncode == 1
    assert "The workers cannot start" in output
    assert output.count("ended with status") == starts


def test_a_worker_that_does_not_move_is_killed_and_replaced(unmoved: Process) -> None:
    until(unmoved.is_ready)
    assert not unmoved.call("get-user-profile")["isError"]
