"""What does it cost that calls are written down? `python -m tests.bench --only record`.

Servers of one worker that differ in what they log, each on a PostgreSQL and a Redis of its own; calls paced by the
clock, in turn. Of each call the CPU of the server and of its PostgreSQL, and what PostgreSQL writes ahead. That is
the whole cluster's: nothing else may write meanwhile.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psycopg

from tests.bench.backends import Backends, since
from tests.bench.contest import ECHO
from tests.bench.load import Call
from tests.bench.paced import attack
from tests.bench.workers import WARM_UP, House, house

WRITE = Call("manage-preferences", "", {"action": "set", "key": "language", "value": "en"})
WRITES_A_SECOND, READS_A_SECOND = 200.0, 1000.0
COLUMNS = f"{'':<24}{'calls/s':>9}{'CPU µs/call':>13}{'PostgreSQL':>12}{'WAL B/call':>12}"


@dataclass(frozen=True)
class Kind:
    name: str
    call: Call = ECHO
    rate: float = READS_A_SECOND
    environment: dict[str, str] = field(default_factory=dict)
    """Of its server."""


KINDS = {
    "quiet": Kind("echo, no lines"),
    "text": Kind("echo, a line each", environment={"CONCIERGE_LOG_LEVEL": "INFO"}),
    "json": Kind(
        "echo, a line of JSON", environment={"CONCIERGE_LOG_LEVEL": "INFO", "CONCIERGE_LOG_FORMAT": "json"}
    ),
    "write": Kind("a call that writes", WRITE, WRITES_A_SECOND),
}


@dataclass(frozen=True)
class Cost:
    """Of one call."""

    server: float
    """Microseconds of CPU, as is the next."""
    postgres: float | None
    """None where its processes run elsewhere."""
    wal: float
    """Bytes."""


@dataclass
class Writer:
    """A server, what is called there, and what PostgreSQL does for it."""

    kind: Kind
    house: House
    backends: Backends
    costs: list[Cost] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        """Raises: WrongAnswer."""
        server, backends, wal = sum(self.house.cpu()), self.backends.cpu(), self.wal()
        calls = attack(self.house.server.port, self.house.key, seconds, self.kind.call, self.kind.rate)
        worked = since(backends, self.backends.cpu())
        self.costs.append(
            Cost(
                (sum(self.house.cpu()) - server) / calls * 1e6,
                None if worked is None else worked / calls * 1e6,
                (self.wal() - wal) / calls,
            )
        )

    def wal(self) -> int:
        """Bytes so far."""
        position = self.backends.connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'").fetchone()
        return int(position[0]) if position else 0

    def row(self) -> str:
        server, wal = (median(getattr(cost, name) for cost in self.costs) for name in ("server", "wal"))
        known = [cost.postgres for cost in self.costs if cost.postgres is not None]
        postgres = f"{median(known):.1f}" if known else "–"
        return f"{self.kind.name:<24}{self.kind.rate:>9,.0f}{server:>13.1f}{postgres:>12}{wal:>12,.0f}"


@contextmanager
def writer(name: str, kind: Kind, scratch: Path) -> Iterator[Writer]:
    with (
        house(name, scratch, environment=kind.environment) as its,
        psycopg.connect(urlsplit(its.database)._replace(path="/postgres").geturl(), autocommit=True) as connection,
    ):
        yield Writer(kind, its, Backends(urlsplit(its.database).path[1:], connection))


def main(*, pairs: int, seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name, ExitStack() as stack:
        writers = [stack.enter_context(writer(word, kind, Path(name))) for word, kind in KINDS.items()]
        for each in writers:
            attack(each.house.server.port, each.house.key, WARM_UP, each.kind.call, each.kind.rate)
        writers[0].backends.connection.execute("CHECKPOINT")
        for each in writers:  # the first change of a page after a checkpoint writes all of it ahead
            attack(each.house.server.port, each.house.key, WARM_UP, each.kind.call, each.kind.rate)
        for _ in range(pairs):
            for each in writers:
                each.turn(seconds)
        print(f"medians of {pairs} turns of {seconds} s each", COLUMNS, *map(Writer.row, writers), sep="\n")
    return 0
