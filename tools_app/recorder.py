"""The record of finished calls. What changed something is recorded in its own transaction; the rest
in batches, of which a killed process can lose the last quarter second."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction

from sessions_app.bulk import execute_each
from sessions_app.call import Call
from sessions_app.models import Session
from sessions_app.outage import is_outage, log
from sessions_app.pool import background_pool
from sessions_app.principal import Principal
from sessions_app.request_ids import of_nobody, request_id
from sessions_app.tracing import tracing

from . import call_log, hourly, metrics
from .digest import digest_for
from .models import ToolCall

logger = logging.getLogger(__name__)

FLUSH_AFTER = 0.25
"""Seconds."""
MOST_WAITING = 20_000
"""Entries kept while the database is away; then the oldest go, and the log says so."""

Kind = ToolCall.Kind
Outcome = ToolCall.Outcome
FAILURES = frozenset(ToolCall.FAILURES)

COLUMNS = (
    "kind", "name", "arguments_digest", "arguments_size", "outcome", "error_id", "user_id", "username",
    "credential", "session_id", "client_name", "client_version", "ip", "started_at", "duration_ms",
)  # fmt: skip


@dataclass(slots=True)
class Entry:
    """One call, from authorize on. It outlives the call, so it holds what is recorded of it and no more."""

    principal: Principal
    session: Session
    client_version: str
    ip: str | None
    kind: Kind
    name: str
    size: int
    """Of the arguments, in bytes of JSON."""
    digest: str
    started: float
    """`time.time()`, for the record."""
    outcome: Outcome = Outcome.OK
    error_id: str = ""
    duration_ms: float = 0.0
    clock: float = field(default_factory=time.perf_counter)
    is_stored: bool = False
    """Its row was committed with what the call changed; only the session's metrics are left to write."""
    is_told: bool = False
    """The log has its line, whether or not the database takes the rest."""
    request_id: str = field(default_factory=request_id.get)
    trace_id: str = field(default_factory=tracing.trace_id)

    @classmethod
    def of(cls, call: Call, kind: Kind, name: str, arguments: bytes) -> "Entry":
        """`arguments` as JSON."""
        who, size = (call.principal, call.session, call.client_version, call.ip), len(arguments)
        running = call.ticket.operation
        if kind == Kind.TOOL and running is not None and running.digest and running.name == name:
            digest = running.digest  # made when it was let in
        else:
            digest = digest_for(call.principal, kind.value, name, arguments)
        return cls(*who, kind, name, size, digest, time.time())

    def finish(self) -> None:
        self.duration_ms = (time.perf_counter() - self.clock) * 1000

    def row(self) -> tuple[Any, ...]:
        """The values of COLUMNS."""
        principal, session = self.principal, self.session
        return (
            self.kind.value,
            self.name[:255],
            self.digest,
            self.size,
            self.outcome.value,
            self.error_id,
            principal.account,
            principal.username,
            principal.credential,
            session.pk,
            session.client_name,
            self.client_version,
            self.ip,
            datetime.fromtimestamp(self.started, UTC),
            self.duration_ms,
        )

    def store(self) -> None:
        """Inside the transaction of the call itself: no record, no effect."""
        self.finish()
        insert([self])


class Recorder:
    """Collects entries on the event loop and writes them on a pool thread."""

    def __init__(self) -> None:
        self._waiting: list[Entry] = []
        self._kept: list[Entry] = []
        """What the database did not take."""
        self._is_scheduled = False

    def add(self, entry: Entry) -> None:
        entry.finish()
        self._waiting.append(entry)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(FLUSH_AFTER, self._flush, context=of_nobody())

    def _flush(self) -> None:
        self._is_scheduled = False
        fresh, self._waiting = self._waiting, []
        metrics.count(fresh)  # once, whatever becomes of their record
        entries, self._kept = self._kept + fresh, []
        if entries:
            loop = asyncio.get_running_loop()
            background_pool.submit(lambda: tell_and_write(entries)).add_done_callback(
                lambda done: done.result() and loop.call_soon_threadsafe(self._keep, done.result())
            )

    def _keep(self, entries: list[Entry]) -> None:
        """The database did not take them; try again with the next ones."""
        self._kept = entries + self._kept
        if (lost := len(self._kept) + len(self._waiting) - MOST_WAITING) > 0:
            logger.error("Dropped the records of %d calls", lost)
            metrics.DROPPED.inc(lost)
            del self._kept[:lost]
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(1.0, self._flush, context=of_nobody())

    def measure(self, passed: float) -> None:
        metrics.WAITING.set(len(self._waiting) + len(self._kept))

    async def drain(self) -> None:
        """Once all is written that waits, or is being written. What the database does not take is kept as ever."""
        self._flush()
        await background_pool.run(lambda: None)  # one thread: behind all that was given to it before


def tell_and_write(entries: Sequence[Entry]) -> list[Entry]:
    """Those that are left, as `write`. The log has a line of each once, however often they are tried."""
    call_log.tell([entry for entry in entries if not entry.is_told])
    for entry in entries:
        entry.is_told = True
    return write(entries)


def write(entries: Sequence[Entry]) -> list[Entry]:
    """Those that are left: the database is away. All others are written, or dropped."""
    try:
        with transaction.atomic():
            insert([entry for entry in entries if not entry.is_stored])
            count(entries)
            hourly.add(entries)  # last: others who add to the same hours wait from here on
    except Exception as error:
        if is_outage(error) or isinstance(error, (OperationalError, InterfaceError)):
            log.tell(logger, f"The record of {len(entries)} calls could not be written", error)
            return list(entries)
        # A row that the database will not have: the others must not wait behind it.
        if len(entries) == 1:
            logger.exception("The record of a call of %r was dropped", entries[0].name)
            metrics.DROPPED.inc()
            return []
        return [left for entry in entries for left in write([entry])]
    return []


def insert(entries: Sequence[Entry]) -> None:
    table = connection.ops.quote_name(ToolCall._meta.db_table)
    marks = ", ".join(["%s"] * len(COLUMNS))
    adapt = connection.ops.adapt_datetimefield_value
    at = COLUMNS.index("started_at")
    rows = [(*row[:at], adapt(row[at]), *row[at + 1 :]) for row in (entry.row() for entry in entries)]
    execute_each(f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES ({marks})", rows)  # noqa: S608


def count(entries: Sequence[Entry]) -> None:
    """Add to each session's metrics. A guest's may be no row."""
    added: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for entry in entries:
        if pk := entry.session.pk:
            sums = added[pk]
            sums[0] += 1
            sums[1] += entry.outcome in FAILURES
            sums[2] += entry.duration_ms
    Session.count(added)


recorder = Recorder()
