"""`make failure ARGS=unread` in little: without services."""

import pytest

from . import quiet, unread
from .servers import embedded

pytestmark = pytest.mark.failure


def test_who_does_not_read_is_cut_off_and_who_reads_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "TURNS", 1)
    monkeypatch.setattr(unread, "SAID_EVERY", 0.02)  # in less time, as the kernel takes as much
    with embedded() as here:
        toll = unread.run(here, here.start(), 8, seconds=12)
    assert toll.messages > 0
    assert toll.ends.keys() == unread.KINDS.keys() - unread.STAY
