"""The soak in little, and whether it would see what it looks for."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from tests.redis_server import redis_server

from . import soak
from .client import Wrong
from .servers import site
from .soak import Sample

FLAT = [
    Sample(float(minute), 2400, 0, 110.0, 60, 40, 12, 20, 300, 3.0, 4.0, {"echo": 3.0}, {"echo": 9.0})
    for minute in range(1, 61)
]


@pytest.mark.failure
@pytest.mark.postgres
@pytest.mark.redis
def test_an_ordinary_day_goes_by_without_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "CLEANED_EVERY", 4.0)
    monkeypatch.setenv("CONCIERGE_SOAK_CSV", str(tmp_path / "soak.csv"))
    with site() as here, redis_server() as kept:
        here.environment["REDIS_URL"] = kept.url
        done = soak.run(here, here.start(WORKERS="2"), kept.url, seconds=12, every=2)
    assert len(done.samples) == 6
    assert sum(sample.visits for sample in done.samples) > 200
    kinds = {kind for sample in done.samples for kind in sample.p99}
    assert kinds >= {
        "echo",
        "write",
        "message",
        "session",
        "socket",
        "listener",
        "stream",
        "cancelled",
        "stranger",
    }
    assert all(sample.connections and sample.clients and sample.keys for sample in done.samples)
    with (tmp_path / "soak.csv").open() as file:
        assert [float(row["memory"]) for row in csv.DictReader(file)] == [one.memory for one in done.samples]


def test_a_flat_day_is_flat() -> None:
    soak.check_flat(FLAT)


@pytest.mark.parametrize(
    ("name", "by"), [("memory", 0.6), ("descriptors", 0.3), ("threads", 0.3), ("connections", 0.3), ("cpu", 0.02)]
)
def test_what_grows_is_seen(name: str, by: float) -> None:
    grown = [replace(sample, **{name: getattr(sample, name) + by * sample.minute}) for sample in FLAT]
    with pytest.raises(Wrong):
        soak.check_flat(grown)


def test_what_gets_slower_is_seen() -> None:
    slower = [replace(sample, p99={"echo": 9.0 + sample.minute / 2}) for sample in FLAT]
    with pytest.raises(Wrong, match="p99 of echo: "):
        soak.check_flat(slower)
