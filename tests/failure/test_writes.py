"""What was acknowledged while workers are killed, in little."""

from collections.abc import Iterator

import pytest

from . import kills, writes
from .servers import Site, site

pytestmark = [pytest.mark.failure, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as one:
        yield one


def test_what_was_acknowledged_is_there_once_whoever_was_killed_meanwhile(
    here: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kills, "EVERY", 0.5)
    toll = writes.run(here, here.start(WORKERS="2"), writes=120, deaths=2)
    assert (toll.kills, toll.counted > 0) == (2, True)
    assert toll.acknowledged >= 120
