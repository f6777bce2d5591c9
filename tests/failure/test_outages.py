"""What `make failure` does to a PostgreSQL and a Redis at full size, in little."""

from collections.abc import Iterator

import pytest

from . import outages
from .blows import Parts, own_parts
from .servers import Server, Site

pytestmark = [pytest.mark.failure]


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Site, Parts]]:
    with own_parts() as one:
        yield one


@pytest.fixture(scope="module")
def server(both: tuple[Site, Parts]) -> Server:
    return both[0].start(WORKERS="2")


@pytest.mark.parametrize("name", ["PostgreSQL paused", "Redis emptied"])
def test_nothing_is_lost_and_nobody_waits(
    both: tuple[Site, Parts], server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, parts = both
    monkeypatch.setattr(outages, "QUIET", 0.5)
    monkeypatch.setattr(outages, "AWAY", 4.0)
    blows = [blow for blow in (*parts.of_database(), *parts.of_redis()) if blow.name == name]
    (toll,) = outages.run(site, server, parts, blows)
    assert toll.messages
