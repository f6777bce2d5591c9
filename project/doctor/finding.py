"""What was found: how it is, in a sentence, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    check: str
    """Which one it is of those of its noun, for programs."""
    says: str
    mend: str = ""
    """The command or the setting that mends it."""


class Away(Exception):
    """What is examined is not there, so there is nothing more to look at; and nothing at what needs it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.says)
        self.finding = finding


def ok(check: str, says: str) -> Finding:
    return Finding(Verdict.OK, check, says)


def warning(check: str, says: str, mend: str) -> Finding:
    return Finding(Verdict.WARNING, check, says, mend)


def problem(check: str, says: str, mend: str) -> Finding:
    return Finding(Verdict.PROBLEM, check, says, mend)


def skipped(check: str, why: str, mend: str = "") -> Finding:
    return Finding(Verdict.SKIPPED, check, why, mend)


def reason(error: BaseException) -> str:
    """What it says, on one line and without the full stop."""
    first = str(error).strip().partition("\n")[0].strip() or type(error).__name__
    return first.rstrip(".")
