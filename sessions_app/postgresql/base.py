"""What Django finds by the name of its backend (`DATABASES["default"]["ENGINE"]`)."""

import time
from typing import Any

from django.db.backends.postgresql import base
from psycopg import conninfo
from psycopg_pool import PoolTimeout

from .availability import SUSPICIOUS, availability
from .connection import WatchedConnection, has_ended

LONGEST_WAIT = 5.0
"""Seconds for a connection of the pool, while the database is there and all are in use."""
OF_PSYCOPG = ("autocommit", "context", "cursor_factory", "prepare_threshold")
"""Parameters that libpq does not know."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Lends connections that work, or says soon that there is none."""

    def __init__(self, settings_dict: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        given = settings_dict["OPTIONS"]
        pool = {**given["pool"], "timeout": SUSPICIOUS, "connection_class": WatchedConnection}
        # Whoever wants a connection has another one tried. psycopg's own tries would be further and further apart.
        pool["reconnect_timeout"] = SUSPICIOUS
        super().__init__({**settings_dict, "OPTIONS": {**given, "pool": pool}}, *args, **kwargs)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Raises, as all does that has to do with a database that is away: psycopg.OperationalError."""
        until = time.monotonic() + LONGEST_WAIT
        while True:
            self._check()
            try:
                connection = super().get_new_connection(conn_params)
            except PoolTimeout:
                availability.suspect(self._conninfo)
                if availability.takes_nobody or time.monotonic() >= until:
                    raise
                continue
            if not has_ended(connection):
                return connection
            connection.close()
            connection._pool.putconn(connection)

    def _check(self) -> None:
        """Raises: Away, and sees to it that somebody asks for it."""
        if availability.is_away:
            availability.suspect(self._conninfo)
        availability.check()

    @property
    def pool(self) -> Any:
        """Django's. It looks twice, and `let_go` may come between."""
        while True:
            try:
                return super().pool
            except KeyError:
                continue

    def _conninfo(self) -> str:
        params = self.get_connection_params()
        return conninfo.make_conninfo(**{name: params[name] for name in params if name not in OF_PSYCOPG})


def let_go() -> None:
    """Of all connections that nobody uses, and of all who wait for one. The next makes a new pool."""
    pools = base.DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    for alias in list(pools):
        if (pool := pools.pop(alias, None)) is not None:
            pool.close(timeout=0)


availability.let_go = let_go
