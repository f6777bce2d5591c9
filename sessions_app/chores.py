"""What is to be done now and then, in batches, while servers serve. `manage.py cleanup` does it.

Each app says what is due in its `cleanup.py`:

    @chore("empty rooms")
    def empty_rooms() -> QuerySet[Room]:
        return Room.objects.empty()
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

BATCH = 1000
"""Rows in a transaction. On SQLite everybody else who writes waits until it ends."""

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

    def run(self) -> int:
        """How many it was done to. Two processes may be at it at once."""
        done, last = 0, None
        while batch := self._after(last):
            done += self._do_to(batch)
            last = batch[-1]
        return done

    def _after(self, last: Any) -> list[Any]:
        """The next ones, looked for outside a transaction: that may take its time, and nobody waits for it."""
        due = self.due().order_by("pk")
        if last is not None:
            due = due.filter(pk__gt=last)
        return list(due.values_list("pk", flat=True)[:BATCH])

    @transaction.atomic
    def _do_to(self, batch: list[Any]) -> int:
        # Asked again under the lock. A row that somebody else is busy with has time until the next round.
        rows = self.due().filter(pk__in=batch).order_by("pk").select_for_update(skip_locked=True)
        locked = list(rows.values_list("pk", flat=True))
        if locked:
            self.do(rows.model._default_manager.filter(pk__in=locked))
        return len(locked)


chores: list[Chore] = []


def delete(rows: QuerySet[Any]) -> None:
    rows.delete()


def chore(name: str, do: Callable[[Any], object] = delete) -> Callable[[Due], Due]:
    """Register what is due, by the `name` under which its count is printed. They are done in this order."""

    def register(due: Due) -> Due:
        chores.append(Chore(name, due, do))
        return due

    return register
