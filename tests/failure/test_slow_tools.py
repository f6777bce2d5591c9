"""`make failure ARGS=slow-tools` in little: without services."""

import pytest

from project.settings import TOOL_THREADS_OF_ONE

from . import quiet, slow_tools
from .servers import embedded

pytestmark = pytest.mark.failure


def test_slow_calls_in_numbers_are_refused_but_for_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "TURNS", 1)
    with embedded() as here:
        toll = slow_tools.run(here, here.start(), 20, seconds=4)
    assert (toll.served, toll.refused) == (TOOL_THREADS_OF_ONE, 20 - TOOL_THREADS_OF_ONE)
