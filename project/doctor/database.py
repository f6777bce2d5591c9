"""The database: there, new enough, writable, and with connections for every worker."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db import Error as DatabaseFailure
from django.db.utils import NotSupportedError

from .examination import Case, examination
from .finding import Away, Finding, ok, problem, reason, skipped
from .hurried import hurry
from .postgresql import of_postgresql
from .shell import SERVE

TRIED = "CREATE TABLE concierge_doctor (number integer)", "INSERT INTO concierge_doctor VALUES (1)"
"""Never committed."""
LARGEST = 256 * 1024 * 1024
"""Bytes of an SQLite file that is read as a whole; that takes a second or two."""


class Undone(Exception):
    """Raised to leave a transaction that is not to be kept."""


@examination("database")
def database(case: Case) -> Iterator[Finding]:
    hurry()
    connect()
    version = ".".join(map(str, connection.get_database_version()))
    name = settings.DATABASES["default"]["NAME"]
    yield ok("connection", f"{connection.display_name} {version} lets us in, to {name}.")
    yield writes()
    yield from of_postgresql() if connection.vendor == "postgresql" else of_sqlite()


def connect() -> None:
    """Raises: Away."""
    name = settings.DATABASES["default"]["NAME"]
    # SQLite would make one, and nothing is to come of being looked at.
    if connection.vendor == "sqlite" and not Path(name).exists():
        raise Away(problem("connection", f"There is no database {name} yet.", SERVE))
    try:
        connection.ensure_connection()
        # SQLite opens anything, and looks at it later.
        connection.introspection.table_names()
    except NotSupportedError as error:
        mend = "Upgrade the database server (docs/settings.md), dump and restore included"
        raise Away(problem("version", f"{reason(error)}.", mend)) from None
    except DatabaseFailure as error:
        raise Away(problem("connection", f"It cannot be used: {reason(error)}.", mend_of(str(error)))) from None


def mend_of(error: str) -> str:
    given: dict[str, Any] = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        return f'sqlite3 {given["NAME"]} "PRAGMA integrity_check", or a backup (docs/settings.md)'
    said = error.lower()
    if "does not exist" in said and "database" in said:
        return f"createdb --encoding UTF8 --owner {given['USER'] or 'USER'} {given['NAME']}"
    if "startup parameter" in said:
        return "Connect to PostgreSQL itself: Concierge has a pool, and a pooler between takes its timeouts away"
    if "password" in said or "authentication" in said or "role" in said:
        return "Mend user and password in DATABASE_URL; special characters are written as %23 for #"
    if "too many" in said or "connection slots" in said:
        return "Raise max_connections, or lower WORKERS"
    return "Start PostgreSQL, or mend host and port in DATABASE_URL"


def writes() -> Finding:
    """In a transaction that is rolled back, as migrations and calls do."""
    try:
        with suppress(Undone), transaction.atomic(), connection.cursor() as cursor:
            for statement in TRIED:
                cursor.execute(statement)
            raise Undone
    except DatabaseError as error:
        return problem("writes", f"It cannot be written: {reason(error)}.", mend_of_writing(str(error)))
    return ok("writes", "It takes writes; what was tried was rolled back.")


def mend_of_writing(error: str) -> str:
    given = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        if "lock" in error:
            return "End what holds a transaction open: fuser " + str(given["NAME"])
        return f"Let the server's user own {given['NAME']} and its directory, and see df -h"
    if "read-only" in error:
        return "DATABASE_URL to the primary, not to a replica; or RESET default_transaction_read_only"
    return f"psql {given['NAME']} -c 'GRANT ALL ON SCHEMA public TO \"{given['USER']}\"'"


def of_sqlite() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = str(cursor.fetchone()[0])
    yield integrity()
    if mode != "wal":
        says = f"It is in journal mode {mode}, in which readers and writers wait for each other."
        yield problem("journal", says, "Keep CONCIERGE_DATA_DIR on a local disk: network file systems have no WAL")


def integrity() -> Finding:
    name = settings.DATABASES["default"]["NAME"]
    if Path(name).stat().st_size > LARGEST:
        return skipped("integrity", "The file is large, and was not read.", f'sqlite3 {name} "PRAGMA quick_check"')
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check(1)")
        state = str(cursor.fetchone()[0])
    if state == "ok":
        return ok("integrity", "The file is sound.")
    says = f"The file is damaged: {state.splitlines()[-1]}."
    return problem("integrity", says, f'sqlite3 {name} ".recover" | sqlite3 NEW, or a backup (docs/settings.md)')
