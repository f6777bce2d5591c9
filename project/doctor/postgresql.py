"""What only PostgreSQL has: a clock of its own, an encoding, places for so many, and poolers before it."""

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection

from .clock import compared
from .examination import PATIENCE
from .finding import Finding, ok, problem, warning


def of_postgresql() -> Iterator[Finding]:
    yield encoding()
    yield isolation()
    yield places()
    yield pooler()
    yield clock()


def asked(question: str) -> Any:
    """The first column of the first row."""
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def encoding() -> Finding:
    found = asked("SHOW server_encoding")
    if found == "UTF8":
        return ok("encoding", "It keeps text as UTF8.")
    says = f"It keeps text as {found}, so most of what people and agents write would be refused."
    return problem(
        "encoding", says, "createdb --encoding UTF8 --template template0 NAME, and restore a dump into it"
    )


def isolation() -> Finding:
    found = asked("SHOW transaction_isolation")
    if found == "read committed":
        return ok("isolation", "Transactions are read committed, as Concierge expects.")
    name = settings.DATABASES["default"]["NAME"]
    mend = f'ALTER DATABASE "{name}" SET default_transaction_isolation TO "read committed"'
    return warning("isolation", f"Transactions are {found}: calls at the same time would fail at times.", mend)


def places() -> Finding:
    """For the pools of all workers, and a command beside them."""
    kept_back = "current_setting('superuser_reserved_connections')::int"
    kept_back += " + coalesce(current_setting('reserved_connections', true), '0')::int"
    of_server = asked(f"SELECT current_setting('max_connections')::int - ({kept_back})")
    of_database = asked("SELECT datconnlimit FROM pg_database WHERE datname = current_database()")
    of_role = asked("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")
    most = min([of_server, *(limit for limit in (of_database, of_role) if limit >= 0)])
    workers = settings.CONFIG.workers
    each = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
    need = workers * each + 1
    says = f"WORKERS={workers} may take {need} connections ({each} each, and one for a command), and it has {most}"
    if need <= most:
        return ok("connections", f"{says}.")
    fitting = (most - 1) // each
    mend = f"psql -c 'ALTER SYSTEM SET max_connections = {need + 10}', and restart PostgreSQL"
    if most < of_server:
        mend = f"ALTER DATABASE … or ALTER ROLE … CONNECTION LIMIT {need}"
    return warning("connections", f"{says}: under load some calls are answered with 503.", or_fewer(mend, fitting))


def or_fewer(mend: str, workers: int) -> str:
    return f"{mend}; or WORKERS={workers}" if workers else mend


def pooler() -> Finding:
    """One answers the handshake with a process id of its own making, and may drop what we set in it."""
    raw: Any = connection.connection
    is_between = asked("SELECT pg_backend_pid()") != raw.info.backend_pid
    is_obeyed = asked("SHOW statement_timeout") == f"{PATIENCE:g}s"
    if not is_between and is_obeyed:
        return ok("pooler", "There is no pooler between, and it ends statements that take too long, as we ask.")
    if not is_obeyed:
        says = "It does not end what takes too long: a pooler between (such as pgbouncer) drops what we set."
    else:
        says = "A pooler (such as pgbouncer) is between: in transaction mode what we set for a connection is lost."
    mend = "DATABASE_URL to PostgreSQL itself (Concierge has a pool of its own), or pool_mode = session"
    return warning("pooler", says, mend)


def clock() -> Finding:
    before = time.time()
    theirs = float(asked("SELECT extract(epoch FROM clock_timestamp())"))
    return compared("the database", theirs, (before + time.time()) / 2)
