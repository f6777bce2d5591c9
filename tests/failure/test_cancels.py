"""`make failure ARGS=cancels` in little."""

import pytest

from . import cancels
from .servers import site

pytestmark = [pytest.mark.failure, pytest.mark.postgres, pytest.mark.redis]


def test_calls_that_are_cancelled_leave_nothing_half_done_and_nothing_behind() -> None:
    with site() as here:
        toll = cancels.run(here, here.start(WORKERS="2"), 240)
    assert toll.calls.total() == 240
    assert toll.beside > 0
