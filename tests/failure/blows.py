"""What may happen to a PostgreSQL and to a Redis, and how it ends. A proxy before each may spoil the way there."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis import Redis

from tests.postgres_server import PostgresServer, postgres_server
from tests.redis_server import RedisServer, redis_server

from .fault_proxy import FaultProxy, fault_proxy
from .servers import Site

LATE = 1.0
"""Seconds by which everything is late behind a slow network."""


def nothing() -> None:
    """It comes back by itself."""


@dataclass(frozen=True)
class Blow:
    name: str
    go_away: Callable[[], None]
    come_back: Callable[[], None] = nothing
    is_of_database: bool = True
    takes_all: bool = True
    """Nothing that needs the database can be done."""
    is_noticed: bool = True
    """/readyz is not."""


@dataclass(frozen=True)
class Parts:
    """What a site stands on, with each part's proxy."""

    postgres: PostgresServer
    database_proxy: FaultProxy
    redis: RedisServer
    redis_proxy: FaultProxy

    def of_database(self) -> list[Blow]:
        server, proxy = self.postgres, self.database_proxy
        full = Fullness(server)
        return [
            Blow("PostgreSQL stopped", server.stop, server.start),
            Blow("PostgreSQL crashed", server.crash, server.start),
            Blow("PostgreSQL paused", server.pause, server.go_on),
            Blow("PostgreSQL behind a black hole", proxy.black_hole, proxy.heal),
            Blow("connections to PostgreSQL reset", proxy.reset, proxy.heal),
            Blow("connections to PostgreSQL half closed", proxy.half_close, proxy.heal),
            Blow("PostgreSQL's connections dropped", server.drop_connections, takes_all=False, is_noticed=False),
            Blow("PostgreSQL full", full.begin, full.end, takes_all=False, is_noticed=False),
            Blow("PostgreSQL read-only", server.become_read_only, server.become_writable, takes_all=False),
        ]

    def of_redis(self) -> list[Blow]:
        server, proxy = self.redis, self.redis_proxy
        blows: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "Redis killed": (server.kill, server.start),
            "Redis paused": (server.pause, server.go_on),
            "Redis emptied": (server.flush, nothing),
            "Redis read-only": (server.become_read_only, server.become_writable),
            "Redis full": (server.fill, server.make_room),
            "Redis behind a black hole": (proxy.black_hole, proxy.heal),
            "Redis a second late": (partial(proxy.delay, LATE), proxy.heal),
            "connections to Redis reset": (proxy.reset, proxy.heal),
            "connections to Redis half closed": (proxy.half_close, proxy.heal),
        }
        return [
            Blow(name, *both, is_of_database=False, takes_all=False, is_noticed=False)
            for name, both in blows.items()
        ]

    def of_both(self) -> list[Blow]:
        def stop() -> None:
            self.redis.kill()
            self.postgres.stop()

        def pause() -> None:
            self.redis.pause()
            self.postgres.pause()

        def database_first() -> None:
            self.postgres.start()
            self.redis.start()

        def redis_first() -> None:
            self.redis.go_on()
            self.postgres.go_on()

        return [
            Blow("both stopped, PostgreSQL back first", stop, database_first),
            Blow("both paused, Redis back first", pause, redis_first),
        ]

    def ask_redis(self) -> Redis:
        return Redis.from_url(self.redis.url)


class Fullness:
    """Others take all connections, those of the server's own included."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._taken = ExitStack()

    def begin(self) -> None:
        self._taken.enter_context(self._server.full())

    def end(self) -> None:
        self._taken.close()


@contextmanager
def own_parts() -> Iterator[tuple[Site, Parts]]:
    """A site on a PostgreSQL and a Redis of its own, each behind a proxy."""
    with (
        tempfile.TemporaryDirectory(prefix="concierge-") as home,
        postgres_server() as postgres,
        redis_server() as kept,
        fault_proxy(postgres.port) as database_proxy,
        fault_proxy(kept.port) as redis_proxy,
    ):
        parts = Parts(postgres, database_proxy, kept, redis_proxy)
        here = Site(Path(home), postgres.url(database_proxy.port), f"redis://127.0.0.1:{redis_proxy.port}/0")
        try:
            yield here, parts
        finally:
            database_proxy.heal()
            redis_proxy.heal()
            here.end()
