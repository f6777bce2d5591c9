"""The last day of calls, hour by hour, as bars that need no script and no style."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from sessions_app.models import User
from tools_app.models import ToolCall

HOURS = 24
HOUR = timedelta(hours=1)
WIDTH, HEIGHT, GAP, MARGIN = 30, 160, 4, 64
"""Of an hour's place in the chart, and of the chart and what is around it: units of its own."""
ROUND = (1, 2, 5, 10)
NOTHING = {"calls": 0, "errors": 0}


@dataclass(frozen=True, slots=True)
class Bar:
    began_at: datetime
    calls: int
    errors: int
    x: int
    height: float
    """Of all its calls."""
    bad: float
    """Of those with an error, from the ground."""
    is_named: bool
    """Whether there is room for its hour below it."""

    @property
    def y(self) -> float:
        return HEIGHT - self.height

    @property
    def bad_y(self) -> float:
        return HEIGHT - self.bad

    @property
    def middle(self) -> float:
        return self.x + WIDTH / 2


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    top: int
    """What its upper edge stands for."""
    width = HOURS * WIDTH
    height = HEIGHT
    bar = WIDTH - GAP
    margin = MARGIN
    outer = HOURS * WIDTH + 2 * MARGIN

    @property
    def top_text(self) -> str:
        """Short, however many they are."""
        return f"{self.top // 1000} k" if self.top >= 10_000 else str(self.top)

    @property
    def calls(self) -> int:
        return sum(bar.calls for bar in self.bars)

    @property
    def errors(self) -> int:
        return sum(bar.errors for bar in self.bars)


def chart_of(user: User) -> Chart:
    """Hours are UTC's, whatever the viewer's zone: they are counted by the database, which may not know it."""
    now = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    first = now - (HOURS - 1) * HOUR
    with timezone.override(UTC):
        found = {row["hour"]: row for row in ToolCall.objects.of(user).since(first).per("hour")}
    rows = (
        (began_at, found.get(began_at, NOTHING)) for began_at in (first + hour * HOUR for hour in range(HOURS))
    )
    return drawing((began_at, row["calls"], row["errors"]) for began_at, row in rows)


def drawing(hours: Iterable[tuple[datetime, int, int]]) -> Chart:
    """Of when each of 24 hours began, the calls in it, and those of them with an error."""
    rows = list(hours)
    top = round_up(max((calls for _, calls, _ in rows), default=0))
    return Chart([bar(number, *row, top) for number, row in enumerate(rows)], top)


def bar(number: int, began_at: datetime, calls: int, errors: int, top: int) -> Bar:
    return Bar(
        began_at, calls, errors,
        x=number * WIDTH, height=drawn(calls, top), bad=drawn(errors, top), is_named=(HOURS - 1 - number) % 4 == 0,
    )  # fmt: skip


def drawn(count: int, top: int) -> float:
    """Few beside many are seen all the same."""
    return max(round(HEIGHT * count / top, 1), 2.0) if count else 0.0


def round_up(most: int) -> int:
    """To a number that reads well at the edge of a chart."""
    unit = 1
    while most > 10 * unit:
        unit *= 10
    return next(step * unit for step in ROUND if step * unit >= most)
