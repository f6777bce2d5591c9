"""Calls at a rate: paced by the clock and not by the answers, so that who waits does not thin them out."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .client import MOST_REPEATS, REPEATS_AFTER, Lost, Wrong

Attempt = Callable[[int], Awaitable[None]]
"""One attempt at the call of this number. Raises: Lost, Wrong."""


@dataclass
class Traffic:
    seconds: list[float] = field(default_factory=list)
    """Of each call, from the moment at which it was due until it was answered."""
    repeated: Counter[str] = field(default_factory=Counter)
    """What was repeated, by what had become of it."""

    async def flow(self, kinds: Sequence[Attempt], rate: float, until: "asyncio.Task[None]") -> None:
        """One kind after the other, `rate` calls a second, until that has ended. Raises: Wrong."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in itertools.count():
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if until.done():
                    return
                tasks.create_task(self._call(kinds[number % len(kinds)], number, due))

    async def _call(self, attempt: Attempt, number: int, due: float) -> None:
        for _ in range(MOST_REPEATS):
            try:
                await attempt(number)
            except Lost as lost:
                self.repeated[str(lost)] += 1
                await asyncio.sleep(REPEATS_AFTER)
            else:
                self.seconds.append(time.monotonic() - due)
                return
        raise Wrong(f"call {number} failed {MOST_REPEATS} times")
