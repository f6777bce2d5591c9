"""What does a call cost once there are ten million? `python -m tests.bench --only growth`.

Two servers of one process each, with Redis. The database of one is empty; that of the other is full of what
`crowd.py` makes, or the one that BENCH_DATABASE_URL names, which is filled once and kept. They take turns at the
same calls, at the same pace and of as many callers, none of whom has called before. Of each call the CPU of the
server, and of the processes that PostgreSQL has for its database.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg

from tests.bench import control_room
from tests.bench.backends import Backends, cpu_of, since
from tests.bench.contest import ECHO, OURS, SETTLE, clean_environ, manage
from tests.bench.kinds import KINDS, Answer, Caller, Kind, caller_name
from tests.bench.load import HANDSHAKE, Line, WrongAnswer
from tests.bench.rooms import printed, wait_until_listening
from tests.bench.servers import Entrant, ServerFailed, started
from tests.services import own_database, own_redis, postgres_url

TARGET = 1.10
"""What a call may cost the server with a full database, as a multiple of what it costs with an empty one."""
CALLERS, A_SECOND = 50, 100
"""Two calls a second of each: half of them find nothing that was read for their caller within the last second."""
EMPTY, FULL = "empty", "full"
TABLES = {"tools_tool_call": "calls", "sessions_session": "sessions", "sessions_user": "users"}
COLUMNS = f"{'':<32}{'server: empty':>16}{FULL:>10}{'ratio':>8}{'PostgreSQL: empty':>20}{FULL:>10}{'ratio':>8}"


@dataclass(frozen=True)
class Cost:
    """Of one call: microseconds of CPU."""

    server: float
    postgres: float | None


@dataclass(frozen=True)
class House:
    pid: int
    port: int
    callers: list[Caller]
    backends: Backends

    def turn(self, kind: Kind, calls: int) -> Cost:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)

        def ask(method: str, path: str, headers: dict[str, str], body: str) -> Answer:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(), response.getheader("Mcp-Session-Id"))

        server, backends = cpu_of(self.pid), self.backends.cpu()
        began = time.monotonic()
        for number in range(calls):
            time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
            kind(ask, self.callers[number % len(self.callers)])
        connection.close()
        time.sleep(SETTLE)  # what is done behind the replies counts too
        worked = since(backends, self.backends.cpu())
        return Cost((cpu_of(self.pid) - server) / calls * 1e6, None if worked is None else worked / calls * 1e6)


@dataclass
class Standing:
    """What one kind of call cost in each turn."""

    name: str
    turns: dict[str, list[Cost]] = field(default_factory=lambda: {EMPTY: [], FULL: []})

    def ratio(self) -> float:
        """Of the server's CPU: the median of the pairs."""
        return median(full.server / empty.server for empty, full in self.pairs())

    def pairs(self) -> Iterator[tuple[Cost, Cost]]:
        return zip(self.turns[EMPTY], self.turns[FULL], strict=True)

    def row(self) -> str:
        server = [median(cost.server for cost in self.turns[which]) for which in (EMPTY, FULL)]
        figures = f"{server[0]:>16,.0f}{server[1]:>10,.0f}{self.ratio():>8.2f}"
        return f"{self.name:<32}{figures}{self.of_postgres()}"

    def of_postgres(self) -> str:
        pairs = [(empty.postgres, full.postgres) for empty, full in self.pairs()]
        known = [(empty, full) for empty, full in pairs if empty and full]
        if not known:
            return f"{'–':>20}{'–':>10}{'–':>8}"
        empty, full = (median(costs) for costs in zip(*known, strict=True))
        return f"{empty:>20,.0f}{full:>10,.0f}{median(full / empty for empty, full in known):>8.2f}"


@contextmanager
def house(url: str, scratch: Path, core: int, *, among: int) -> Iterator[House]:
    """A server on that database, and callers; it is filled if it is to hold `among` calls and is not."""
    scratch.mkdir(mode=0o700)
    environ = clean_environ() | {
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "CONCIERGE_DATA_DIR": str(scratch),
        "DATABASE_URL": url,
        "CONCIERGE_CALL_RATE": "999999/s",
        "CONCIERGE_KEY_RATE": "999999/s",
        "CONCIERGE_LOG_LEVEL": "WARNING",
    }
    manage(environ, "migrate", "--verbosity=0")
    try:
        keys = printed(environ, "tests.bench.callers", "come", str(CALLERS), f"--among={among}")
        with own_redis() as redis:
            program = [sys.executable, "-m", "tests.bench.served"]
            entrant = Entrant(OURS, [], keys[0], environ | {"REDIS_URL": redis}, program)
            with (
                started(entrant, core=core, log=scratch / "server.log") as server,
                psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True) as connection,
            ):
                wait_until_listening(server)
                try:
                    callers = [caller(server.port, number, key) for number, key in enumerate(keys)]
                    backends = Backends(urlsplit(url).path[1:], connection)
                    yield House(server.process.pid, server.port, callers, backends)
                except WrongAnswer as error:
                    raise server.failed(str(error)) from None
    finally:
        printed(environ, "tests.bench.callers", "go")


def caller(port: int, number: int, key: str) -> Caller:
    durable = Line.open(port, key, replace(ECHO, revision=HANDSHAKE))
    return Caller(caller_name(number), replace(durable, session_id=None), durable)


def rows(url: str) -> str:
    """How many, as PostgreSQL estimates."""
    with psycopg.connect(url) as connection:
        found: dict[str, float] = dict(
            connection.execute(
                "SELECT relname, reltuples FROM pg_class WHERE relname = ANY(%s)", [list(TABLES)]
            ).fetchall()
        )
    return ", ".join(f"{found[table]:,.0f} {what}" for table, what in TABLES.items())


def compete(houses: dict[str, House], pairs: int, calls: int) -> list[Standing]:
    """In every second pair the other goes first: a machine that becomes slower is nobody's fault."""
    standings = [Standing(name) for name in KINDS]
    for kind in KINDS.values():  # warm up
        for each in houses.values():
            each.turn(kind, calls)
    for pair in range(pairs):
        for standing in standings:
            for which in (EMPTY, FULL) if pair % 2 else (FULL, EMPTY):
                standing.turns[which].append(houses[which].turn(KINDS[standing.name], calls))
    return standings


def main(*, check: bool, calls: int, pairs: int, seconds: int) -> int:
    """`calls`: on record in the full database, if it is not full yet."""
    if postgres_url() is None:
        raise ServerFailed("The benchmark needs a PostgreSQL whose user may create databases (TEST_DATABASE_URL)")
    server_core, *_, load_core = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="concierge-bench-")))
        urls = {
            FULL: stack.enter_context(control_room.database()),
            EMPTY: stack.enter_context(own_database(f"concierge_bench_empty_{os.getpid()}")),
        }
        houses = {
            which: stack.enter_context(
                house(url, scratch / which, server_core, among=calls if which == FULL else 0)
            )
            for which, url in urls.items()
        }
        os.sched_setaffinity(0, {load_core})
        print(f"full: {rows(urls[FULL])}; {CALLERS} callers, {A_SECOND} calls a second: CPU µs a call", flush=True)
        standings = compete(houses, pairs, calls=seconds * A_SECOND)
        print("\n".join([COLUMNS, *map(Standing.row, standings)]), flush=True)
    worst = max(standings, key=Standing.ratio)
    is_met = worst.ratio() <= TARGET
    print(f"target: server CPU ≤ {TARGET} ×: {'met' if is_met else 'missed'} ({worst.ratio():.2f}, {worst.name})")
    return 1 if check and not is_met else 0
