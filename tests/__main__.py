"""`make test`: the suite on SQLite, on PostgreSQL where one answers, and what starts processes; side by side."""

import os
import subprocess
import sys

from tests.services import POSTGRES, is_required, postgres_url

APART = "process or browser or pages"
"""Tests that choose their database themselves, or turn out alike on each: once is enough."""
NO_TESTS = 5
"""pytest's exit status when a selection (ARGS="-k rooms") leaves a run with nothing to do."""


def main(arguments: list[str]) -> int:
    url = postgres_url()
    runs = {
        "On SQLite": pytest("-m", f"not ({APART})", *arguments),
        "Processes, browsers and pages": pytest("-m", APART, *arguments),
    }
    if url is not None:
        runs["On PostgreSQL"] = pytest("-m", f"not ({APART})", *arguments, DATABASE_URL=url)
    for name, run in runs.items():
        print(f"== {name}\n{run.communicate()[0]}", flush=True)
    codes = {run.returncode for run in runs.values()}
    if url is None:
        print("== Skipped on PostgreSQL: none answers (TEST_DATABASE_URL, or 127.0.0.1:5432)")
    is_one_missing = url is None and is_required(POSTGRES)
    return 0 if codes <= {0, NO_TESTS} and codes != {NO_TESTS} and not is_one_missing else 1


def pytest(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.Popen(command, env=inherited | environment, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
