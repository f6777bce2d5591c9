"""What does a call cost when several workers share the work? `python -m tests.bench --only workers`.

`manage.py serve` with one worker and with two, each on a PostgreSQL and a Redis of its own; calls paced by the
clock, in turn. CPU is that of all their processes, the parents included.

The target is about the same rate. Beside that stand one worker at half of it, which is as busy as each of two, and
a uvicorn that asks Redis one thing for each request, with one worker and with two: what any server pays here for
the work of one process being done by two, each of which wakes more often for less.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection
from statistics import median
from typing import Protocol

from tests.bench.backends import cpu_of
from tests.bench.contest import clean_environ, manage
from tests.bench.paced import CONNECTIONS, RATE, attack
from tests.bench.rows import USERNAME
from tests.bench.servers import QUIET, ROOT, STOPS_WITHIN, UVICORN, ServerFailed, free_port
from tests.failure.servers import STARTS_WITHIN, Server
from tests.process import until
from tests.services import own_database, own_redis

ONE, TWO = 1, 2
TARGET = 1.1
"""How much more a call may cost with two, at the same rate."""
WARM_UP = 2.0


class Served(Protocol):
    name: str
    workers: int
    key: str

    @property
    def port(self) -> int: ...

    def cpu(self) -> list[float]:
        """Seconds so far: of the parent, and of each worker."""


@dataclass
class House:
    """Concierge, and how many workers it has."""

    workers: int
    server: Server
    key: str
    database: str
    """Its URL."""
    name: str = "Concierge"

    @property
    def port(self) -> int:
        return self.server.port

    def cpu(self) -> list[float]:
        """Seconds so far: of the parent, and of each worker."""
        return [cpu_of(pid) for pid in (self.server.process.pid, *self.server.workers())]


@dataclass
class Bare:
    """uvicorn, which asks Redis one thing for each request (relay.py)."""

    workers: int
    port: int
    process: "subprocess.Popen[bytes]"
    key: str = "nobody"
    name: str = "uvicorn"

    def cpu(self) -> list[float]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        # Besides workers it has a process that looks after what they share. Alone it is the worker.
        return [cpu_of(pid), *(cpu_of(int(child)) for child in children)] if children else [0.0, cpu_of(pid)]


@dataclass
class Pace:
    """What calls at one rate cost one server."""

    served: Served
    rate: float
    costs: list[float] = field(default_factory=list)
    """Microseconds of CPU a call, turn by turn."""
    shares: list[float] = field(default_factory=list)
    """The part of the workers' CPU that the busiest one had."""

    def turn(self, seconds: float) -> None:
        """Raises: WrongAnswer."""
        before = self.served.cpu()
        calls = attack(self.served.port, self.served.key, seconds, rate=self.rate)
        spent = [after - then for after, then in zip(self.served.cpu(), before, strict=True)]
        self.costs.append(sum(spent) / calls * 1e6)
        self.shares.append(max(spent[1:]) / sum(spent[1:]))

    def row(self) -> str:
        what = f"{self.served.name}, {self.served.workers} at {self.rate:,.0f}/s"
        return f"{what:<26}{median(self.costs):>13.1f}{median(self.shares):>16.0%}"

    def ratio(self, other: "Pace") -> float:
        """The median of the pairs."""
        return median(mine / its for mine, its in zip(self.costs, other.costs, strict=True))


@contextmanager
def house(
    name: str, scratch: Path, workers: int = ONE, environment: Mapping[str, str] | None = None
) -> Iterator[House]:
    with own_database(f"concierge_bench_{os.getpid()}_{name}") as database, own_redis() as redis:
        home = scratch / name
        home.mkdir(mode=0o700)
        environ = clean_environ() | {
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
            "CONCIERGE_DATA_DIR": str(home),
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "WORKERS": str(workers),
            "CONCIERGE_CALL_RATE": "999999/s",
            "CONCIERGE_KEY_RATE": "999999/s",
            "CONCIERGE_STOP_NOTICE": "0",
            "CONCIERGE_LOG_LEVEL": "WARNING",
            **(environment or {}),
        }
        manage(environ, "migrate", "--verbosity=0")
        key = manage(environ, "createkey", USERNAME, "--name", "bench", "--create-user", "--quiet").strip()
        server = Server(home, environ)
        try:
            server.wait_until_ready()
            wait_for_all(server, workers)
            yield House(workers, server, key, database)
        finally:
            server.end()


def wait_for_all(server: Server, workers: int) -> None:
    """The first that is ready answers for all; the others must have started, too."""
    deadline = time.monotonic() + STARTS_WITHIN
    before = -1.0
    while len(pids := server.workers()) < workers or (now := sum(map(cpu_of, pids))) - before > 0.1:
        if time.monotonic() > deadline:
            raise ServerFailed(server.log.read_text())
        before = now if len(pids) == workers else -1.0
        time.sleep(1)


@contextmanager
def bare(workers: int) -> Iterator[Bare]:
    port = free_port()
    with own_redis() as redis:
        environ = clean_environ() | {"REDIS_URL": redis}
        many = [*UVICORN[:-1], f"--workers={workers}", *QUIET, f"--port={port}", "tests.bench.relay:application"]
        process = subprocess.Popen(many, cwd=ROOT, env=environ)
        try:
            until(lambda: is_listening(port))
            yield Bare(workers, port, process)
        finally:
            process.terminate()
            process.wait(STOPS_WITHIN)


def is_listening(port: int) -> bool:
    with suppress(OSError), create_connection(("127.0.0.1", port)):
        return True
    return False


def measure(scratch: Path, pairs: int, seconds: float) -> list[Pace]:
    """One worker that is as busy as each of two, one that does as much as both, and two; uvicorn's one and two."""
    with ExitStack() as stack:
        one, two = (stack.enter_context(house(str(workers), scratch, workers)) for workers in (ONE, TWO))
        bare_one, bare_two = (stack.enter_context(bare(workers)) for workers in (ONE, TWO))
        for each in (one, two, bare_one, bare_two):
            attack(each.port, each.key, WARM_UP)
        paces = [
            Pace(one, RATE / TWO),
            Pace(one, RATE),
            Pace(two, RATE),
            Pace(bare_one, RATE),
            Pace(bare_two, RATE),
        ]
        for _ in range(pairs):
            for pace in paces:
                pace.turn(seconds)
    return paces


def main(*, check: bool, pairs: int, seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        paces = measure(Path(name), pairs, seconds)
    print(f"over {CONNECTIONS} connections; medians of {pairs} turns of {seconds} s")
    print(f"{'':<26}{'CPU µs/call':>13}{'busiest worker':>16}", *map(Pace.row, paces), sep="\n")
    as_busy, alone, two, bare_one, bare_two = paces
    ratio = two.ratio(alone)
    is_met = ratio <= TARGET
    print(f"two / one that is as busy as each of them: {two.ratio(as_busy):.3f}")
    print(f"two / one of a uvicorn that asks Redis one thing for each request: {bare_two.ratio(bare_one):.3f}")
    print(f"target: CPU with two ≤ {TARGET} × with one: {'met' if is_met else 'missed'} ({ratio:.3f})")
    return 1 if check and not is_met else 0


if __name__ == "__main__":
    sys.exit(main(check=True, pairs=5, seconds=5))
