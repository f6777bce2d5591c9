"""The database, as an operator names it and as we run on it."""

from typing import Any

import dj_database_url

from .config import Config


def database(config: Config, connections: int) -> dict[str, Any]:
    """Django's settings for it; of PostgreSQL, a process has at most so many connections."""
    url = config.database_url or f"sqlite:///{config.data_dir / 'concierge.sqlite3'}"
    settings: dict[str, Any] = dict(dj_database_url.parse(url))
    if settings["ENGINE"].endswith("sqlite3"):
        # Stock settings lose a third of concurrent writes to "database is locked"; write-ahead
        # logging with IMMEDIATE transactions loses none.
        # The thread of a web request ends with it, so its connection does too. The pools keep theirs, and each
        # would keep two megabytes of the file by itself, which the system's cache has once for all.
        return settings | {
            "CONN_MAX_AGE": 0,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-500;",
            },
        }
    # A job borrows a connection from the pool and gives it back; persistent ones would pile up.
    # The database gives up before we do: a thread that waits for a lock cannot be stopped from outside.
    limits = {"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "60s"}
    given = settings.get("OPTIONS", {})
    # Of a network that loses what is sent the kernel tells us, in seconds (and milliseconds). Of a database that
    # hangs it knows nothing: sessions_app/postgresql/ does.
    network = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 5000}
    options = {"connect_timeout": 2, **network, **given}
    options["pool"] = {"min_size": 1, "max_size": connections}
    options["options"] = " ".join(
        [*(f"-c {name}={value}" for name, value in limits.items()), given.get("options", "")]
    )
    return settings | {"ENGINE": "sessions_app.postgresql", "CONN_MAX_AGE": 0, "OPTIONS": options}
