"""`make failure ARGS="callers writers"` in little."""

import pytest

from . import callers, narrow
from .servers import embedded, site

pytestmark = pytest.mark.failure


@pytest.mark.postgres
@pytest.mark.redis
def test_many_callers_find_ten_connections_wide_enough() -> None:
    with site() as here:
        server = here.start(DJANGO_SETTINGS_MODULE=narrow.__name__)
        assert callers.run(here, server, 60, rounds=2).answers == 120


def test_many_writers_at_once_do_not_lock_each_other_out_of_sqlite() -> None:
    with embedded() as here:
        assert callers.run_embedded(here, here.start(), 12, 4).cleanups >= 1
