"""`make failure ARGS=stalled` in little: without services, on a server that waits two seconds."""

import pytest

from . import hasty, stalled
from .servers import embedded

pytestmark = pytest.mark.failure


def test_sockets_that_stall_are_closed_and_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.failure.quiet.TURNS", 1)
    with embedded() as here:
        server = here.start(DJANGO_SETTINGS_MODULE=hasty.__name__)
        toll = stalled.run(here, server, 40, limit=hasty.SLOWEST_REQUEST)
    assert toll.sockets == 40
