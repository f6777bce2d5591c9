"""How it is printed: for people, a line a check, aligned; for programs, a line of JSON."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from shutil import get_terminal_size
from textwrap import wrap

from django.core.management.color import Style

from .finding import Finding, Verdict

NOUN, VERDICT = 16, 9
"""Columns."""
NARROWEST, WIDEST = 60, 110
MEND = "→ "


def as_json(noun: str, finding: Finding) -> str:
    line = {"noun": noun, "check": finding.check, "verdict": finding.verdict, "says": finding.says}
    return json.dumps(line | ({"mend": finding.mend} if finding.mend else {}), ensure_ascii=False)


def as_text(noun: str, findings: list[Finding], style: Style) -> Iterator[str]:
    """The noun once, before the first of its checks."""
    for number, finding in enumerate(findings):
        yield from lines_of(noun if number == 0 else "", finding, style)


def lines_of(noun: str, finding: Finding, style: Style) -> Iterator[str]:
    margin = " " * (NOUN + VERDICT)
    width = min(max(get_terminal_size((WIDEST, 24)).columns, NARROWEST), WIDEST) - len(margin)
    first, *others = wrap(finding.says, width) or [""]
    yield f"{noun:<{NOUN}}{painted(finding.verdict, style)}{first}"
    yield from (margin + line for line in others)
    # A command stays whole, so that it can be copied.
    is_command = len(finding.mend.split()) < 12
    mends = [finding.mend] if is_command else wrap(finding.mend, width - len(MEND))
    for number, line in enumerate(mends if finding.mend else []):
        yield margin + (MEND if number == 0 else " " * len(MEND)) + line


def painted(verdict: Verdict, style: Style) -> str:
    paint: dict[Verdict, Callable[[str], str]] = {
        Verdict.OK: style.SUCCESS,
        Verdict.WARNING: style.WARNING,
        Verdict.PROBLEM: style.ERROR,
        Verdict.SKIPPED: style.HTTP_INFO,
    }
    return paint[verdict](str(verdict)) + " " * (VERDICT - len(verdict))


def summary(counts: Counter[Verdict]) -> str:
    problems, warnings = counts[Verdict.PROBLEM], counts[Verdict.WARNING]
    if not problems and not warnings:
        return f"All is well: {counts.total()} checks."
    return f"{number(problems, 'problem')}, {number(warnings, 'warning')} in {counts.total()} checks."


def number(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
