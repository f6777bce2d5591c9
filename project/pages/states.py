"""What this installation runs on, by name, and whether it answers. Nothing here waits long for what does not."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from project import health
from sessions_app.models import Worker

ALONE = "in memory: single process"
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class State:
    name: str
    value: str
    is_well: bool = True


@dataclass(frozen=True)
class Answer:
    """Of what was asked whether it is there."""

    is_there: bool
    ms: float

    @classmethod
    def of(cls, name: str, check: Callable[[], bool]) -> "Answer":
        began = time.perf_counter()
        is_there = health.works(name, check)
        return cls(is_there, (time.perf_counter() - began) * 1000)

    def __str__(self) -> str:
        return f"answers within {self.ms:.1f} ms" if self.is_there else "does not answer"


def ask_database() -> Answer:
    return Answer.of("database", health.database)


def ask_redis() -> Answer | None:
    """None: there is to be none. One that hangs costs a quarter of a second."""
    return Answer.of("redis", health.redis) if settings.REDIS_URL else None


def states(database: Answer, redis: Answer | None, workers: Sequence[Worker] | None) -> list[State]:
    """Two queries at most, and none if the database is away."""
    is_well = redis is None or redis.is_there
    shared = "Redis" if settings.REDIS_URL else ALONE
    return [
        database_state(database),
        State("Redis", "not used" if redis is None else str(redis), is_well),
        State("Channel layer", shared, is_well),
        State("Cache", shared, is_well),
        workers_state(workers),
        migrations_state() if database.is_there else State("Migrations", NOT_KNOWN, is_well=False),
        State("Guests", "may call" if settings.CONFIG.guests else "are not let in"),
        State("Mail", "is sent" if settings.MAIL_IS_SENT else "goes to the console; operators show links"),
    ]


def database_state(database: Answer) -> State:
    if not database.is_there:
        return State("Database", f"{connection.display_name} {database}", is_well=False)
    version = ".".join(map(str, connection.get_database_version()))
    return State("Database", f"{connection.display_name} {version} {database}")


def workers_state(workers: Sequence[Worker] | None) -> State:
    if workers is None:
        return State("Workers", NOT_KNOWN, is_well=False)
    return State("Workers", ", ".join(map(str, workers)) or "none has said so lately", is_well=bool(workers))


def migrations_state() -> State:
    applied = MigrationRecorder(connection).applied_migrations()
    missing = len(shipped_migrations() - applied.keys())
    return State("Migrations", f"{missing} to be applied" if missing else "all applied", is_well=not missing)


@cache
def shipped_migrations() -> frozenset[tuple[str, str]]:
    """Read from disk once: they come with the code that runs."""
    return frozenset(MigrationLoader(None).disk_migrations)
