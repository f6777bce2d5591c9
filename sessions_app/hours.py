"""Rows of one hour each, which are added to without being read.

Two processes add to the same rows. Each does so in the same order, so they may wait for each other for the rest
of a short transaction, and never both at once.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import connection, models
from django.utils import timezone

from .bulk import execute_each

HOUR = timedelta(hours=1)

Key = tuple[Any, ...]


def hour_of(seconds: float) -> datetime:
    """That in which `time.time()` said so."""
    return datetime.fromtimestamp(seconds // 3600 * 3600, UTC)


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


class HourQuerySet(models.QuerySet[Any]):
    """Of a model with an `hour`."""

    def of_last(self, hours: int) -> Self:
        """Of this hour and those before it, so many in all."""
        return self.filter(hour__gt=this_hour() - hours * HOUR, hour__lte=this_hour())

    def past_its_time(self) -> Self:
        """As of the record of calls: what `CONCIERGE_RECORD_DAYS` no longer covers."""
        return self.filter(hour__lte=timezone.now() - timedelta(days=settings.CONFIG.record_days) - HOUR)


def add_to(model: type[models.Model], key: Sequence[str], added: Mapping[Key, Mapping[str, float]]) -> None:
    """In the transaction of whoever asks. `added` is by the columns of `key`, of which the first is an hour's
    `time.time()`. Django's own upsert would set what is there, and not add to it.
    """
    if not added:
        return
    adapt = connection.ops.adapt_datetimefield_value
    counts = sorted({name for counted in added.values() for name in counted})
    rows = [
        (adapt(hour_of(hour)), *rest, *(counted.get(name, 0) for name in counts))
        for (hour, *rest), counted in sorted(added.items())
    ]
    execute_each(statement(model, key, counts), rows)


def statement(model: type[models.Model], key: Sequence[str], counts: Sequence[str]) -> str:
    """Columns that nothing is added to begin at nothing."""
    table, where, given = model._meta.db_table, ", ".join(key), (*key, *counts)
    others = [str(field.column) for field in model._meta.local_fields if not field.primary_key]
    others = [name for name in others if name not in given]
    marks = ["%s"] * len(given) + ["0"] * len(others)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in counts)
    values = f"({', '.join((*given, *others))}) VALUES ({', '.join(marks)})"
    return f"INSERT INTO {table} {values} ON CONFLICT ({where}) DO UPDATE SET {sums}"
