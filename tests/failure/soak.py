"""An ordinary day, in an hour: nothing may grow that the hour's end has not given back."""

import asyncio
import csv
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .caller import percentile
from .rounds import expect
from .servers import Server, Site
from .visits import Kind, Visits
from .vitals import Kept, Vitals, connections_to, vitals_of

USERS = 8
CLEANED_EVERY = 300.0
"""Seconds."""
PARTS = 6
"""Of the time. The first is for warming up; the second and the last are compared."""
MOST_WAITING = 400
"""Visits that are not over: the server does not keep up with what is asked of it."""
FEW = 8
"""Descriptors, threads and connections more, of all processes together."""
GROWN = ("descriptors", "threads", "connections", "clients")
TRACES = ("ERROR", "CRITICAL", "Traceback")


@dataclass(frozen=True)
class Sample:
    minute: float
    visits: int
    """Since the one before, as are the times and the CPU."""
    errors: int
    memory: float
    """MiB: what the largest worker has resident."""
    descriptors: int
    threads: int
    connections: int
    """To PostgreSQL."""
    clients: int
    """Of Redis."""
    keys: int
    kept: float
    """MiB of Redis."""
    cpu: float
    """Milliseconds of the server's for each visit."""
    p50: dict[str, float]
    """Milliseconds, by kind of visit."""
    p99: dict[str, float]

    def row(self) -> dict[str, float]:
        figures = {name: value for name, value in asdict(self).items() if not isinstance(value, dict)}
        return figures | {
            f"{kind} {name}": value
            for name, values in (("p50", self.p50), ("p99", self.p99))
            for kind, value in values.items()
        }


@dataclass
class Seen:
    """What visitors noticed since the last sample."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    """All of them."""


class Soak:
    def __init__(self, site: Site, server: Server, redis: str, seconds: float, every: float) -> None:
        """Of so many seconds, with a sample every so many."""
        self.site, self.server, self.redis = site, server, redis
        self.seconds, self.every = seconds, every
        self.samples: list[Sample] = []
        self.seen = Seen()
        self._cleaned_at = time.monotonic()
        self._visiting: set[asyncio.Task[None]] = set()

    async def run(self, visits: Visits) -> None:
        """Raises: Wrong where the server falls behind."""
        await visits.open()
        coming = [asyncio.create_task(self.come(kind)) for kind in visits.kinds()]
        try:
            await self.watch()
        finally:
            for task in coming:
                task.cancel()
            await asyncio.wait(coming)
        if self._visiting:
            await asyncio.wait(self._visiting, timeout=60)

    async def come(self, kind: Kind) -> None:
        """One visit after another, at its times, however long those before take."""
        began = time.monotonic()
        number = 0
        while True:
            number += 1
            await asyncio.sleep(began + number / kind.rate - time.monotonic())
            task = asyncio.create_task(self.visit(kind))
            self._visiting.add(task)
            task.add_done_callback(self._visiting.discard)

    async def visit(self, kind: Kind) -> None:
        try:
            seconds = await kind.visit()
            self.seen.took[kind.name].append(seconds)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is counted, and said in the end)
            self.seen.errors.append(f"{kind.name}: {error!r}")

    async def watch(self) -> None:
        before, errors = await asyncio.to_thread(vitals_of, self.server), 0
        began = time.monotonic()
        for number in range(1, round(self.seconds / self.every) + 1):
            await asyncio.sleep(began + number * self.every - time.monotonic())
            self._clean()
            expect(len(self._visiting) <= MOST_WAITING, f"{len(self._visiting)} visits are not over")
            took, self.seen.took = self.seen.took, defaultdict(list)
            now = await asyncio.to_thread(vitals_of, self.server)
            expect(now.workers == before.workers, f"the workers were {before.workers}, and are {now.workers}")
            self.samples.append(await self._sample(number, took, len(self.seen.errors) - errors, before, now))
            before, errors = now, len(self.seen.errors)

    async def _sample(
        self, number: int, took: dict[str, list[float]], errors: int, before: Vitals, now: Vitals
    ) -> Sample:
        visits = sum(map(len, took.values()))
        connections = await asyncio.to_thread(connections_to, self.site.database)
        kept = await asyncio.to_thread(Kept.by, self.redis)
        return Sample(
            number * self.every / 60, visits, errors, now.memory, now.descriptors, now.threads, connections,
            kept.clients, kept.keys, kept.memory, (now.cpu - before.cpu) * 1000 / max(1, visits),
            {kind: percentile(values, 0.5) * 1000 for kind, values in took.items()},
            {kind: percentile(values, 0.99) * 1000 for kind, values in took.items()},
        )  # fmt: skip

    def _clean(self) -> None:
        """`manage.py cleanup`, beside the server, every five minutes."""
        if time.monotonic() - self._cleaned_at >= CLEANED_EVERY:
            self._cleaned_at = time.monotonic()
            task = asyncio.create_task(asyncio.to_thread(self._run_cleanup))
            self._visiting.add(task)
            task.add_done_callback(self._visiting.discard)

    def _run_cleanup(self) -> None:
        try:
            self.site.run("manage.py", "cleanup")
        except Exception as error:  # noqa: BLE001
            self.seen.errors.append(f"cleanup: {error!r}")


def part(samples: list[Sample], number: int) -> list[Sample]:
    """One of the six, from 0."""
    return samples[len(samples) * number // PARTS : len(samples) * (number + 1) // PARTS]


def median(samples: Iterable[Sample], figure: Callable[[Sample], float]) -> float:
    return statistics.median(map(figure, samples))


def check_flat(samples: list[Sample]) -> None:
    """The last sixth is as the second was. Raises: Wrong."""
    before, after = part(samples, 1), part(samples, PARTS - 1)

    def both(figure: Callable[[Sample], float]) -> tuple[float, float]:
        return median(before, figure), median(after, figure)

    first, last = both(lambda sample: sample.memory)
    expect(last - first <= max(20, first * 0.1), f"memory: {first:.0f} MiB, then {last:.0f}")
    for name in GROWN:
        first, last = both(lambda sample, name=name: float(getattr(sample, name)))  # type: ignore[misc]
        expect(last - first <= FEW, f"{name}: {first:.0f}, then {last:.0f}")
    first, last = both(lambda sample: sample.cpu)
    expect(last <= first * 1.15, f"CPU for each visit: {first:.2f} ms, then {last:.2f} ms")
    for kind in sorted({kind for sample in before for kind in sample.p99}):
        first, last = (
            median((sample for sample in some if kind in sample.p99), lambda sample: sample.p99[kind])  # noqa: B023
            for some in (before, after)
        )
        expect(last <= first * 2, f"p99 of {kind}: {first:.0f} ms, then {last:.0f} ms")


def check_quiet(soak: Soak) -> None:
    """Nothing went wrong, and nothing is said in the log. Raises: Wrong."""
    errors = soak.seen.errors
    expect(not errors, f"{len(errors)} errors: {'; '.join(errors[:10])}")
    said = [
        line
        for line in soak.server.log.read_text(errors="replace").splitlines()
        if any(map(line.__contains__, TRACES))
    ]
    expect(not said, f"{len(said)} lines in the log: {' | '.join(said[:10])}")


def table(samples: list[Sample]) -> str:
    """A line for each tenth sample, and a head."""
    kinds = list(dict.fromkeys(kind for sample in samples for kind in sample.p99))
    head = "minute visits errors    MiB   fds threads  pg redis   keys    MiB  ms CPU " + " ".join(
        f"{kind:>9}" for kind in kinds
    )
    lines = [
        f"{one.minute:6.1f} {sum(each.visits for each in ten):6} {sum(each.errors for each in ten):6}"
        f" {one.memory:6.1f} {one.descriptors:5} {one.threads:7} {one.connections:3} {one.clients:5} {one.keys:6}"
        f" {one.kept:6.1f} {median(ten, lambda sample: sample.cpu):7.2f} "
        + " ".join(f"{spread(ten, kind):>9}" for kind in kinds)
        for ten in (samples[start : start + 10] for start in range(0, len(samples), 10))
        for one in ten[-1:]
    ]
    return "\n".join([head, *lines])


def spread(samples: list[Sample], kind: str) -> str:
    """p50/p99, the medians of both, in ms."""
    there = [sample for sample in samples if kind in sample.p99]
    if not there:
        return "-"
    return f"{median(there, lambda one: one.p50[kind]):.0f}/{median(there, lambda one: one.p99[kind]):.0f}"


def ends(samples: list[Sample]) -> str:
    """The second sixth, and the last, in a sentence."""
    both = part(samples, 1), part(samples, PARTS - 1)
    memory, cpu, descriptors = (
        " → ".join(format(median(some, lambda one: getattr(one, name)), form) for some in both)  # noqa: B023
        for name, form in (("memory", ".0f"), ("cpu", ".2f"), ("descriptors", ".0f"))
    )
    p99 = " → ".join(format(median(some, lambda one: one.p99["echo"]), ".0f") for some in both)
    return f"memory {memory} MiB, descriptors {descriptors}, CPU for a visit {cpu} ms, p99 of echo {p99} ms"


def write(samples: list[Sample], path: Path) -> None:
    """As CSV."""
    names = list(dict.fromkeys(name for sample in samples for name in sample.row()))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(sample.row() for sample in samples)


def run(site: Site, server: Server, redis: str, seconds: float, every: float = 60.0) -> Soak:
    soak = Soak(site, server, redis, seconds, every)
    keys = site.keys(*(f"user{number}" for number in range(USERS)))
    try:
        asyncio.run(soak.run(Visits(server.url, keys)))
    finally:
        if soak.samples:
            print(table(soak.samples), flush=True)
        if soak.samples and (path := os.environ.get("CONCIERGE_SOAK_CSV")):
            write(soak.samples, Path(path))
    check_quiet(soak)
    return soak
