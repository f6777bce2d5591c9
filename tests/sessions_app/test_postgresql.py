"""Nobody waits for a PostgreSQL that does not answer, and what takes long is not broken off."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import DatabaseError, OperationalError
from django.db.utils import ConnectionHandler

from project.config import Config
from project.database import database
from sessions_app.outage import is_outage, is_unconfirmed
from sessions_app.postgresql.availability import EVERY, availability, failure_of, one_by_one
from sessions_app.postgresql.base import DatabaseWrapper, let_go
from tests.failure.fault_proxy import FaultProxy, fault_proxy
from tests.postgres_server import PostgresServer, postgres_server

pytestmark = [pytest.mark.process]

AT_ONCE = 0.2
SOON = 2.0
BACK_WITHIN = 5.0
"""Seconds."""
LARGE = "x" * 30_000_000
"""More than there is room for between us and a server that does not read."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as one:
        yield one


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[FaultProxy]:
    with fault_proxy(server.port) as one:
        yield one


@pytest.fixture
def handler(
    server: PostgresServer, proxy: FaultProxy, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ConnectionHandler]:
    """Connections through the proxy, in a pool of their own."""
    monkeypatch.setattr(availability, "_asked_until", 0.0)  # what the test before asked is no answer for this one
    config = Config.model_validate({"DATABASE_URL": server.url(proxy.port)})
    one = ConnectionHandler({name: database(config, connections=16) for name in ("default", "own")})
    with django_db_blocker.unblock():
        yield one
        proxy.heal()
        until_back()
        one.close_all()
        let_go()


def until_back() -> float:
    began = time.monotonic()
    while availability.is_away:
        assert time.monotonic() < began + BACK_WITHIN
        time.sleep(0.05)
    return time.monotonic() - began


def ask(handler: ConnectionHandler, query: str = "SELECT 1") -> object:
    with handler["own"].cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()


@contextmanager
def paused(server: PostgresServer) -> Iterator[Callable[[], None]]:
    server.pause()
    try:
        yield server.go_on
    finally:
        server.go_on()


@contextmanager
def refused_within(seconds: float) -> Iterator[list[DatabaseError]]:
    caught: list[DatabaseError] = []
    began = time.monotonic()
    with pytest.raises(OperationalError) as error:
        yield caught
    assert time.monotonic() - began < seconds
    assert is_outage(error.value)
    caught.append(error.value)


def test_who_waits_for_an_answer_that_does_not_come_is_told_soon(
    handler: ConnectionHandler, proxy: FaultProxy
) -> None:
    ask(handler)
    proxy.black_hole()
    with refused_within(SOON):
        ask(handler)
    handler["own"].close()
    with refused_within(AT_ONCE):
        ask(handler)
    proxy.heal()
    until_back()
    assert ask(handler) == (1,)


def wait_in_vain(handler: ConnectionHandler, waits: list[float]) -> None:
    began = time.monotonic()
    with pytest.raises(OperationalError):
        ask(handler)
    waits.append(time.monotonic() - began)
    handler["own"].close()


def test_all_who_wait_are_told_and_none_waits_after_that(handler: ConnectionHandler, proxy: FaultProxy) -> None:
    waits: list[float] = []
    ask(handler)
    handler["own"].close()
    proxy.black_hole()
    threads = [threading.Thread(target=wait_in_vain, args=(handler, waits)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == len(threads)
    assert max(waits) < SOON


def test_what_asks_the_server_nothing_is_no_answer_of_it(handler: ConnectionHandler, proxy: FaultProxy) -> None:
    waits: list[float] = []
    ask(handler)
    proxy.black_hole()
    (thread := threading.Thread(target=wait_in_vain, args=(handler, waits))).start()
    while thread.is_alive():
        handler["own"].set_autocommit(autocommit=not handler["own"].get_autocommit())
        thread.join(0.05)
    assert waits
    assert waits[0] < SOON


def test_an_answer_on_its_way_as_the_server_went_makes_nobody_wait_longer(
    handler: ConnectionHandler, proxy: FaultProxy
) -> None:
    """As when its processes stop one after the other, and the one that makes connections first."""

    def answer() -> None:
        availability.answered_at = time.monotonic()

    ask(handler)
    proxy.black_hole()
    threading.Timer(0.7, answer).start()  # while it is asked for a connection
    with refused_within(SOON):
        ask(handler)


def test_what_takes_long_is_not_broken_off(handler: ConnectionHandler) -> None:
    assert ask(handler, "SELECT 1 FROM pg_sleep(1.5)") == (1,)
    assert not availability.is_away


def test_what_takes_long_to_be_sent_is_not_broken_off(handler: ConnectionHandler, server: PostgresServer) -> None:
    ask(handler)
    with paused(server) as go_on:
        threading.Timer(0.7, go_on).start()
        with handler["own"].cursor() as cursor:
            cursor.execute("SELECT length(%s)", [LARGE])
            assert cursor.fetchone() == (len(LARGE),)


def test_who_cannot_even_send_is_told_soon(handler: ConnectionHandler, server: PostgresServer) -> None:
    ask(handler)
    with paused(server), refused_within(SOON), handler["own"].cursor() as cursor:
        cursor.execute("SELECT length(%s)", [LARGE])


def test_a_connection_that_was_ended_while_nobody_used_it_fails_nobody(
    handler: ConnectionHandler, server: PostgresServer
) -> None:
    ask(handler)
    handler["own"].close()
    server.drop_connections()
    time.sleep(0.5)  # they end a moment later
    assert ask(handler) == (1,)


def test_a_pipeline_is_given_up_without_a_word(
    handler: ConnectionHandler, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    ask(handler)
    handler["own"].set_autocommit(False)
    proxy.black_hole()
    with refused_within(SOON), handler["own"].cursor() as cursor:
        cursor.executemany("SELECT %s", [(1,), (2,)])
    caplog.clear()  # it keeps what psycopg said of it


def test_a_commit_whose_answer_is_lost_is_not_confirmed(handler: ConnectionHandler, proxy: FaultProxy) -> None:
    ask(handler)
    handler["own"].set_autocommit(False)
    ask(handler)
    proxy.black_hole()
    with refused_within(SOON) as caught:
        handler["own"].commit()
    assert is_unconfirmed(caught[0])


def test_what_is_lost_before_its_commit_is_known_to_be_undone(
    handler: ConnectionHandler, proxy: FaultProxy
) -> None:
    ask(handler)
    handler["own"].set_autocommit(False)
    proxy.black_hole()
    with refused_within(SOON) as caught:
        ask(handler)
    assert not is_unconfirmed(caught[0])


def test_a_full_server_is_said_soon_and_keeps_who_has_a_connection(
    handler: ConnectionHandler, server: PostgresServer
) -> None:
    ask(handler)
    with server.full():
        refused: list[DatabaseError] = []

        def come_late() -> None:
            while not refused:  # there may be some in the pool
                began = time.monotonic()
                try:
                    ask(handler)
                except OperationalError as error:
                    refused.append(error)
                assert time.monotonic() - began < SOON

        late = [threading.Thread(target=come_late) for _ in range(4)]
        for thread in late:
            thread.start()
        for thread in late:
            thread.join()
        assert is_outage(refused[0])
        assert not availability.is_away
        assert ask(handler) == (1,)


def test_that_a_server_was_full_is_not_believed_for_ever(
    handler: ConnectionHandler, server: PostgresServer
) -> None:
    with server.full(), refused_within(SOON):
        ask(handler)
    assert availability.takes_nobody
    time.sleep(2 * EVERY)  # else whoever has to wait for one of the pool would be refused at once
    assert not availability.takes_nobody


def test_it_comes_back_even_if_who_asked_for_it_has_failed(
    handler: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_away_since", time.monotonic())  # and nobody asks
    with refused_within(AT_ONCE):
        ask(handler)
    until_back()
    assert ask(handler) == (1,)


class LetGoBetween(dict[str, Any]):
    """Of pools: as if another thread had emptied it between two looks, once."""

    def __getitem__(self, alias: str) -> Any:
        if not hasattr(self, "was_emptied"):
            self.was_emptied = True
            self.clear()
        return super().__getitem__(alias)


def test_a_pool_that_is_let_go_of_while_somebody_looks_for_it_is_made_anew(
    handler: ConnectionHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatabaseWrapper, "_connection_pools", pools := LetGoBetween())
    assert ask(handler) == (1,)
    handler["own"].close()
    pools.pop("own").close()


def test_a_read_only_database_is_an_outage_of_writing(handler: ConnectionHandler, server: PostgresServer) -> None:
    with handler["own"].cursor() as cursor:
        cursor.execute("CREATE TABLE kept (word text)")
    handler["own"].close()
    server.become_read_only()
    try:
        time.sleep(0.3)  # it reads its configuration a moment later
        assert ask(handler) == (1,)
        with pytest.raises(DatabaseError) as error:
            ask(handler, "INSERT INTO kept VALUES ('no') RETURNING 1")
        assert is_outage(error.value)
    finally:
        server.become_writable()


def test_of_several_hosts_one_that_answers_is_enough(server: PostgresServer, proxy: FaultProxy) -> None:
    proxy.black_hole()
    name = urlsplit(server.url(proxy.port)).path.strip("/")
    user = urlsplit(server.url(proxy.port)).username
    both = f"host=127.0.0.1,127.0.0.1 port={proxy.port},{server.port} dbname={name} user={user}"
    assert failure_of(both) is None
    assert failure_of(f"host=127.0.0.1 port={proxy.port} dbname={name} user={user}") is not None


@pytest.mark.parametrize(
    ("several", "each"),
    [
        ("host=a dbname=x", ["host=a dbname=x"]),
        ("host=a,b port=1,2 dbname=x", ["dbname=x host=a port=1", "dbname=x host=b port=2"]),
        ("host=a,b port=1 dbname=x", ["dbname=x host=a port=1", "dbname=x host=b port=1"]),
    ],
)
def test_hosts_are_asked_one_by_one(several: str, each: list[str]) -> None:
    assert one_by_one(several) == each
