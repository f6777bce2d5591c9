"""What `manage.py doctor` finds: all of it, or at one noun."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import connections

from project.config import BASE_DIR
from project.doctor.examination import Case, Look
from project.doctor.finding import Away, Finding
from tests.process import Process, until

Found = dict[str, Finding]
SETS_UP_WITHIN = 120
"""Seconds for a first start, on a machine that has much else to do."""


def found(look: Look, case: Case | None = None) -> Found:
    """By check. Made on a thread of its own, which has a connection to the database of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(looked, look, case or Case()).result()


def looked(look: Look, case: Case) -> Found:
    try:
        return {finding.check: finding for finding in until_away(look, case)}
    finally:
        connections.close_all()


def until_away(look: Look, case: Case) -> Iterator[Finding]:
    try:
        yield from look(case)
    except Away as away:
        yield away.finding


@contextmanager
def serving(data_dir: Path, **environment: str) -> Iterator[Process]:
    """A server that is ready."""
    process = Process(data_dir, **environment)
    try:
        until(lambda: process.popen.poll() is not None or process.is_ready(), SETS_UP_WITHIN)
        yield process
    finally:
        process.kill()


@dataclass
class Diagnosis:
    status: int
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, noun: str) -> dict[str, dict[str, str]]:
        return {each["check"]: each for each in self.findings if each["noun"] == noun}

    def verdicts(self, noun: str) -> set[str]:
        return {each["verdict"] for each in self.of(noun).values()}

    @property
    def problems(self) -> list[dict[str, str]]:
        return [each for each in self.findings if each["verdict"] == "problem"]


def diagnose(data_dir: Path, *arguments: str, **environment: str) -> Diagnosis:
    """By the command itself, in an environment of its own."""
    own = {"PATH": os.environ["PATH"], "CONCIERGE_DATA_DIR": str(data_dir)}
    command = [sys.executable, "manage.py", "doctor", *(arguments or ("--json",))]
    done = subprocess.run(command, cwd=BASE_DIR, env=own | environment, capture_output=True, text=True, timeout=60)
    return Diagnosis(done.returncode, done.stdout, done.stderr)
