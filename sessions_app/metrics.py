"""What is counted for Prometheus. Each app has its own in a `metrics.py`, and `project/metrics/` shows all.

Of several workers each writes to files of its own, which whoever is asked adds up (prometheus_client's
multiprocess mode). Names and labels are in other people's dashboards; docs/metrics.md has them all.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

disable_created_metrics()  # when each series began is one series more, and files of workers do not have it
registry = CollectorRegistry()


def counter(name: str, words: str, labels: Sequence[str] = ()) -> Counter:
    """Only goes up. What workers counted that are gone stays."""
    return Counter(name, words, labels, registry=registry)


def of_all(name: str, words: str, labels: Sequence[str] = ()) -> Gauge:
    """A figure of now: the sum over the workers that are alive."""
    return Gauge(name, words, labels, registry=registry, multiprocess_mode="livesum")


def of_each(name: str, words: str) -> Gauge:
    """A figure of now, of each worker that is alive, by its `pid`. A process alone has no such label."""
    return Gauge(name, words, registry=registry, multiprocess_mode="liveall")


def the_same(name: str, words: str, labels: Sequence[str] = ()) -> Gauge:
    """What every worker says alike."""
    return Gauge(name, words, labels, registry=registry, multiprocess_mode="livemax")


class Total:
    """What somebody else adds up, as a counter of ours."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._reached = 0.0

    def reach(self, total: float) -> None:
        """It begins anew if it is less than before."""
        self._counter.inc(total - self._reached if total >= self._reached else total)
        self._reached = total


REFUSALS = counter("concierge_refusals", "Requests that were refused, by reason.", ["reason"])
REDIS_LOSSES = counter("concierge_redis_losses", "How often a worker found Redis away, and went on without it.")
REDIS_AWAY_SECONDS = counter("concierge_redis_away_seconds", "Seconds that workers went on without Redis.")
REDIS_AWAY = of_all("concierge_redis_away", "Workers that go on without Redis now.")
"""A worker that is not called does not look whether it is back."""
