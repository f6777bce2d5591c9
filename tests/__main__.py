"""`make test`: the suite on SQLite, on PostgreSQL where one answers, and what starts processes."""

import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from tests.services import POSTGRES, is_required, postgres_url

APART = "process or browser or pages or failure"
"""Tests that choose their database themselves, or turn out alike on each: once is enough."""
NO_TESTS = 5
"""pytest's exit status when a selection (ARGS="-k rooms") leaves a run with nothing to do."""
AT_ONCE = os.cpu_count() or 1
"""Runs: with more, what is measured comes late."""


def main(arguments: list[str]) -> int:
    url = postgres_url()
    databases: dict[str, dict[str, str]] = {"On SQLite": {}}
    if url is not None:
        databases["On PostgreSQL"] = {"DATABASE_URL": url}
    with ThreadPoolExecutor(AT_ONCE) as pool:  # what takes longest begins first
        runs = {pool.submit(pytest, "-m", APART, *arguments): "Processes, browsers and pages"}
        for name, environment in databases.items():
            runs[pool.submit(pytest, "-m", f"not ({APART})", *arguments, **environment)] = name
        for run in as_completed(runs):
            print(f"== {runs[run]}\n{run.result().stdout}", flush=True)
    if url is None:
        print("== Skipped on PostgreSQL: none answers (TEST_DATABASE_URL, or 127.0.0.1:5432)")
    is_one_missing = url is None and is_required(POSTGRES)
    return 0 if are_well(runs) and not is_one_missing else 1


def are_well(runs: "dict[Future[subprocess.CompletedProcess[str]], str]") -> bool:
    codes = {run.result().returncode for run in runs}
    return codes <= {0, NO_TESTS} and codes != {NO_TESTS}


def pytest(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(command, env=inherited | environment, stdout=subprocess.PIPE, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
