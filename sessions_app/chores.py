"""What is to be done now and then, in batches, while servers serve. `manage.py cleanup` does it.

Each app says what is due in its `cleanup.py`:

    @chore("empty rooms")
    def empty_rooms() -> QuerySet[Room]:
        return Room.objects.empty()
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

BATCH = 1000
"""Rows in a transaction, at most."""
LONGEST = 0.05
"""Seconds that a transaction should take where everybody else who writes waits for it, as on SQLite.

So long is then the pause, too: waiting there is asking again and again, and who asks seldom would never get in.
"""

Due = Callable[[], QuerySet[Any]]
"""Rows without joins: only their own table is locked. What another table knows is a subquery (`x__in=`)."""


@dataclass(frozen=True)
class Chore:
    """Rows that are due, and what is done with them."""

    name: str
    due: Due
    do: Callable[[Any], object]
    """Called with a batch of them, as a queryset of the model's default manager."""

    def count(self) -> int:
        """How many are due."""
        return self.due().count()

    def run(self, tell: Callable[[int], object] = lambda done: None) -> int:
        """How many it was done to; `tell` hears how many so far. Two processes may be at it at once."""
        done, last, pace = 0, None, Pace()
        while batch := self._after(last, pace.size):
            with pace:
                done += self._do_to(batch)
            tell(done)
            last = batch[-1]
        return done

    def _after(self, last: Any, most: int) -> list[Any]:
        """The next ones, looked for outside a transaction: that may take its time, and nobody waits for it."""
        due = self.due().order_by("pk")
        if last is not None:
            due = due.filter(pk__gt=last)
        return list(due.values_list("pk", flat=True)[:most])

    @transaction.atomic
    def _do_to(self, batch: list[Any]) -> int:
        # Asked again under the lock. A row that somebody else is busy with has time until the next round.
        rows = self.due().filter(pk__in=batch).order_by("pk").select_for_update(skip_locked=True)
        locked = list(rows.values_list("pk", flat=True))
        if locked:
            self.do(rows.model._default_manager.filter(pk__in=locked))
        return len(locked)


class Pace:
    """How many rows at a time: as many as fit into `LONGEST`, and then a pause, where others have to wait."""

    def __init__(self) -> None:
        self._lets_others_write = connection.vendor != "sqlite"
        self.size = BATCH if self._lets_others_write else BATCH // 10

    def __enter__(self) -> None:
        self._began = monotonic()

    def __exit__(self, *error: object) -> None:
        if self._lets_others_write:
            return
        took = monotonic() - self._began
        self.size = max(1, min(BATCH, 2 * self.size, int(self.size * LONGEST / max(took, 0.001))))
        sleep(max(LONGEST, took))


chores: list[Chore] = []


def delete(rows: QuerySet[Any]) -> None:
    rows.delete()


def chore(name: str, do: Callable[[Any], object] = delete) -> Callable[[Due], Due]:
    """Register what is due, by the `name` under which its count is printed. They are done in this order."""

    def register(due: Due) -> Due:
        chores.append(Chore(name, due, do))
        return due

    return register
