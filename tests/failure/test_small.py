"""What `make failure` does at full size, in little: several processes on one PostgreSQL and one Redis."""

from collections.abc import Iterator

import pytest

from . import kills, left, rooms, same_ids, turns
from .client import Client, Wrong
from .rounds import Stream
from .servers import Server, Site, site

pytestmark = [pytest.mark.failure, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site() as one:
        yield one


@pytest.fixture(scope="module")
def pair(here: Site) -> list[Server]:
    return [here.start(), here.start()]


@pytest.fixture(scope="module")
def workers(here: Site) -> Server:
    """One server of several processes, to be killed."""
    return here.start(WORKERS=str(kills.WORKERS))


def test_a_session_goes_on_at_whichever_process_a_request_reaches(here: Site, pair: list[Server]) -> None:
    assert turns.run(here, pair, rounds=5) < 5


def test_clients_that_count_alike_get_their_own_replies(
    here: Site, pair: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(same_ids, "CLIENTS", 4)
    monkeypatch.setattr(same_ids, "CLIENTS_OF_ONE", 4)
    assert same_ids.run(here, pair[0], calls=240) == 240


def test_what_is_opened_and_left_is_cleaned_up(here: Site, pair: list[Server]) -> None:
    assert left.run(here, pair[0], sessions=50).opened >= 50


def test_a_killed_worker_takes_no_session_and_no_reply_with_it(here: Site, workers: Server) -> None:
    toll = kills.run(here, workers, kills=5)
    assert toll.kills == 5


def test_a_killed_worker_takes_nothing_that_was_said_with_it(
    here: Site, workers: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "KILLED_EVERY", 0.5)
    assert rooms.run(here, workers, messages=120, kills=1).kills == 1


async def test_a_stream_that_is_refused_is_told(pair: list[Server], here: Site) -> None:
    client = Client([pair[0].url], here.keys("alice")[0])
    client.session_id = "A" * 43
    stream = Stream(client)
    with pytest.raises(Wrong, match="404"):
        await stream.opens()
    await stream.close()
    await client.close()
