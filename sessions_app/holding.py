"""What the server holds about a person, kind by kind, for his own copy of it.

Each app says what it has in its `holdings.py`:

    @holding("messages", "room__name", "text", "posted_at")
    def messages(user: User) -> QuerySet[Message]:
        return Message.objects.filter(author=user)

Fields are named one by one, so that no digest or other secret is among them by accident.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from .models import User

PAGE = 500
"""Rows."""

Rows = Callable[[User], QuerySet[Any]]


@dataclass(frozen=True)
class Holding:
    name: str
    fields: tuple[str, ...]
    rows: Rows

    def count(self, user: User) -> int:
        return self.rows(user).count()

    def page(self, user: User, after: int) -> list[dict[str, Any]]:
        """The next rows by their primary key, which is a member of each as `pk`."""
        rows = self.rows(user).filter(pk__gt=after).order_by("pk")
        return list(rows.values("pk", *self.fields)[:PAGE])


holdings: dict[str, Holding] = {}


def holding(name: str, *fields: str) -> Callable[[Rows], Rows]:
    """Register the rows of one kind, by the `name` that their owner reads."""

    def register(rows: Rows) -> Rows:
        if name in holdings:
            raise ValueError(f"{name!r} is registered twice")
        holdings[name] = Holding(name, fields, rows)
        return rows

    return register
