"""Two servers behind nginx, in little."""

from collections.abc import Iterator

import pytest

from . import behind_nginx
from .behind_nginx import House
from .servers import Site, site

pytestmark = [pytest.mark.failure, pytest.mark.postgres, pytest.mark.redis, pytest.mark.nginx]


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site() as one:
        yield one


@pytest.fixture(scope="module")
def pair(here: Site) -> Iterator[House]:
    with behind_nginx.house(here, CONCIERGE_STOP_NOTICE="1") as two:
        yield two


def test_sessions_streams_and_sockets_need_no_sticky_route(pair: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind_nginx, "CLIENTS", 3)
    behind_nginx.in_turn(pair, rounds=3, replies=90, messages=40)


def test_a_server_that_is_restarted_costs_no_call_and_no_listener_anything(pair: House) -> None:
    toll = behind_nginx.endure(pair, 20, lambda: behind_nginx.restart(pair.servers[:1], 1))
    assert toll.calls > 20
    assert toll.messages > 2
