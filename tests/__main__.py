"""`make test`: the suite on SQLite, and beside it on PostgreSQL where one answers."""

import os
import subprocess
import sys

from tests.services import POSTGRES, is_required, postgres_url

# What starts processes or browsers has chosen its database itself; once is enough.
ON_POSTGRES = ["-m", "not process and not browser"]


def main(arguments: list[str]) -> int:
    url = postgres_url()
    beside = pytest([*ON_POSTGRES, *arguments], stdout=subprocess.PIPE, DATABASE_URL=url) if url else None
    print("== On SQLite", flush=True)
    failed = pytest(arguments).wait()
    if beside is not None:
        print("== On PostgreSQL", flush=True)
        print(beside.communicate()[0], flush=True)
        return failed or beside.returncode
    if is_required(POSTGRES):
        print("== PostgreSQL does not answer, and CONCIERGE_REQUIRE asks for it")
        return 1
    print("== Skipped on PostgreSQL: none answers (TEST_DATABASE_URL, or 127.0.0.1:5432)")
    return failed


def pytest(arguments: list[str], stdout: int | None = None, **environment: str) -> "subprocess.Popen[str]":
    inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.Popen(command, env=inherited | environment, stdout=stdout, text=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
