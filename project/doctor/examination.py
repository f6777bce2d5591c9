"""One examination a noun. They are made side by side: what does not answer keeps nobody else waiting."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event, Thread

from django.db import connections

from .finding import Away, Finding, problem, reason, skipped

logger = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that one thing may take to answer."""
LONGEST = 13.0
"""Seconds for all of them."""


@dataclass
class Case:
    """What was given along, and what turned out not to be there."""

    key: str = ""
    """A credential to show to the server. None: one is made for the purpose, and deleted."""
    mail_to: str = ""
    absent: set[str] = field(default_factory=set)

    def has(self, noun: str) -> bool:
        """Whether it is there, as far as is known; only to be asked of a noun that one comes `after`."""
        return noun not in self.absent


Look = Callable[[Case], Iterator[Finding]]


@dataclass(frozen=True)
class Examination:
    noun: str
    look: Look
    needs: tuple[str, ...]
    """If one of these is away, there is nothing to look at."""
    after: tuple[str, ...]
    """These are looked at before."""


examinations: list[Examination] = []


def examination(noun: str, *, needs: tuple[str, ...] = (), after: tuple[str, ...] = ()) -> Callable[[Look], Look]:
    """Register what looks at `noun`. They are reported in this order; what one needs comes before it."""

    def register(look: Look) -> Look:
        examinations.append(Examination(noun, look, needs, after))
        return look

    return register


class Visit:
    """An examination under way, on a thread of its own."""

    def __init__(self, examination: Examination, case: Case, before: "dict[str, Visit]") -> None:
        self.noun = examination.noun
        self._examination = examination
        self._case = case
        self._before = [before[noun] for noun in (*examination.needs, *examination.after)]
        self._found: list[Finding] = []
        self._began_at: float | None = None
        self._ended = Event()
        # Nobody waits for what hangs, the interpreter neither.
        Thread(target=self._go, name=f"doctor: {self.noun}", daemon=True).start()

    def _go(self) -> None:
        for other in self._before:
            other._ended.wait()
        try:
            self._found += self._excuse()
            if not self._found:
                self._began_at = time.monotonic()
                for finding in self._examination.look(self._case):
                    self._found.append(finding)
        except Away as away:
            self._is_away(away.finding)
        except Exception as error:  # a finding like any other: the doctor goes on
            logger.exception("Looking at %s failed", self.noun)
            says = f"Looking at it failed: {reason(error)} ({type(error).__name__})."
            self._is_away(problem("examination", says, "The log (stderr with --traceback) says where."))
        finally:
            self._ended.set()
            connections.close_all()

    def _excuse(self) -> list[Finding]:
        missing = [noun for noun in self._examination.needs if not self._case.has(noun)]
        if not missing:
            return []
        self._case.absent.add(self.noun)
        return [skipped("examination", f"Not looked at: it needs the {missing[0]}.")]

    def _is_away(self, finding: Finding) -> None:
        self._case.absent.add(self.noun)
        self._found.append(finding)

    def findings(self, deadline: float) -> list[Finding]:
        """When it has ended, or at the deadline what is known by then."""
        if self._ended.wait(max(0.0, deadline - time.monotonic())):
            return self._found
        if self._began_at is None:
            return [skipped("examination", "Not looked at: what it waits for did not end in time.")]
        says = f"It did not end within {time.monotonic() - self._began_at:.0f} s: something in it does not answer."
        mend = "Look at what this noun talks to; the last line above is the last that answered."
        return [*self._found, problem("examination", says, mend)]


def examine(case: Case, chosen: list[Examination] | None = None) -> Iterator[tuple[str, list[Finding]]]:
    """Each noun with what was found, as soon as that and all before it are known."""
    deadline = time.monotonic() + LONGEST
    visits: dict[str, Visit] = {}
    for each in examinations if chosen is None else chosen:
        visits[each.noun] = Visit(each, case, visits)
    for visit in visits.values():
        yield visit.noun, visit.findings(deadline)
