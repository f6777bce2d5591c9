"""The fixture server: a fresh Concierge in a directory of its own, on a free port of this machine."""

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contest import clean_environ, manage
from tests.bench.servers import ROOT, STARTS_WITHIN, STOPS_WITHIN, ServerFailed, free_port

UVICORN = [
    *(sys.executable, "-m", "uvicorn", "tests.conformance.asgi:application", "--host=127.0.0.1"),
    *("--loop=uvloop", "--http=httptools", "--lifespan=on"),
    *("--no-access-log", "--log-level=warning", "--timeout-graceful-shutdown=2"),
]
ERROR = re.compile(r"([0-9-]+ [0-9:,]+ )?(ERROR|CRITICAL)[ :]")
"""As Django's loggers write it, and as uvicorn does of what we did not catch."""


MEMBER = "visitor"
PROMOTE = f"""
from django.contrib.auth.models import Group
from sessions_app.models import User
User.objects.get(username="{MEMBER}").groups.add(Group.objects.get(name="Administrators"))
"""
"""So that clients that can send a key may use every tool that ships."""


@dataclass(frozen=True)
class Served:
    """A server that answers, and the key of MEMBER there, for clients that can send one."""

    origin: str
    key: str


@contextmanager
def serving(scratch: Path, log: Path) -> Iterator[Served]:
    environ = make_house(scratch / "data")
    key = make_key(environ, MEMBER)
    manage(environ, "shell", "--no-imports", "-c", PROMOTE)
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*UVICORN, f"--port={port}"], cwd=ROOT, env=environ, stdout=output, stderr=output
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield Served(f"http://127.0.0.1:{port}", key)
    finally:
        stop(process)


def make_house(data: Path) -> dict[str, str]:
    """The environment of a server with a member, whose key the fixture server adds to what comes without one."""
    data.mkdir(mode=0o700)
    environ = clean_environ() | {
        "DJANGO_SETTINGS_MODULE": "tests.conformance.settings",
        "CONCIERGE_DATA_DIR": str(data),
    }
    manage(environ, "migrate", "--verbosity=0")
    return environ | {"CONCIERGE_CONFORMANCE_KEY": make_key(environ, "suite")}


def make_key(environ: dict[str, str], user: str) -> str:
    return manage(environ, "createkey", user, "--name", "conformance", "--create-user", "--quiet").strip()


def wait_until_ready(origin: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{origin}/readyz", timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise ServerFailed(f"The fixture server did not start.\n{log.read_text()[-3000:]}")


def errors(log: Path) -> list[str]:
    """What the server logged as an error. A crash can be an answer that a scenario takes as good enough."""
    return [line for line in log.read_text().splitlines() if ERROR.match(line)]


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
