"""How calls are counted for Prometheus: by what was called and what came of it, a batch at a time."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import Histogram

from sessions_app.metrics import counter, of_all, registry

from .hourly import NOT_RUN, known_names
from .latency import BOUNDS, bucket_of
from .models.hour import UNKNOWN

if TYPE_CHECKING:
    from .recorder import Entry

CALLS = counter("concierge_calls", "Calls, by what was called and what came of it.", ["kind", "name", "outcome"])
DURATIONS = Histogram(
    "concierge_call_duration_seconds",
    "How long calls took that ran, by what was called.",
    ["kind", "name"],
    buckets=[bound / 1000 for bound in BOUNDS],
    registry=registry,
)
WAITING = of_all("concierge_records_waiting", "Calls that are not in the record yet.")
DROPPED = counter("concierge_records_dropped", "Calls that will never be in the record.")


class Times:
    """Of the calls of one batch, in milliseconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, ms: float) -> None:
        self.counts[bucket_of(ms)] += 1
        self.total += ms


def count(entries: Iterable["Entry"]) -> None:
    """Only names that are registered are told apart, as there is no end of others."""
    known = known_names()
    counts: Counter[tuple[str, str, str]] = Counter()
    times: defaultdict[tuple[str, str], Times] = defaultdict(Times)
    for entry in entries:
        kind, outcome = entry.kind.value, entry.outcome
        name = entry.name if entry.name in known[kind] else UNKNOWN
        counts[kind, name, outcome.value] += 1
        if outcome not in NOT_RUN:
            times[kind, name].add(entry.duration_ms)
    for labels, number in counts.items():
        CALLS.labels(*labels).inc(number)
    for of, spent in times.items():
        observe(DURATIONS.labels(*of), spent)


def observe(histogram: Histogram, times: Times) -> None:
    """As `Histogram.observe` for each, which costs as much for a thousand as for one (a test pins what it is)."""
    histogram._sum.inc(times.total / 1000)
    for bucket, number in zip(histogram._buckets, times.counts, strict=True):
        if number:
            bucket.inc(number)
