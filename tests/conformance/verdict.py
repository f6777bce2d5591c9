"""What the suite's files say. Its exit code is no verdict: it is 0 for warnings and for an empty selection."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

from .scenarios import Expected

SUCCESS = "SUCCESS"
HARMLESS = {SUCCESS, "INFO"}
LENIENT = HARMLESS | {"WARNING", "SKIPPED"}
FOLDER = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[0-9TZ:.-]+")

LONGEST_MESSAGE = 300

Results = dict[str, list[dict[str, Any]]]
"""The checks of each scenario, by its name."""


@dataclass(frozen=True)
class Problem:
    scenario: str
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.scenario}: {self.check}: {shorten(self.message, LONGEST_MESSAGE)}"


@dataclass
class Verdict:
    passed: set[str] = field(default_factory=set)
    checks: int = 0
    """Those that succeeded, in all scenarios."""
    problems: list[Problem] = field(default_factory=list)


def read(output: Path) -> Results:
    """The suite's checks.json files below `output`: one folder for each scenario that came to its end.

    Raises: ValueError for a folder or file that is not as we know them.
    """
    results: Results = {}
    for path in sorted(output.glob("*/checks.json")):
        folder = FOLDER.fullmatch(path.parent.name)
        if folder is None or folder["scenario"] in results:
            raise ValueError(f"An unexpected folder: {path.parent.name}")
        results[folder["scenario"]] = json.loads(path.read_text())
    return results


def judge(results: Results, expected: Expected) -> Verdict:
    """What is expected ran, succeeded, warned of nothing and skipped nothing; of the rest only `unmet` failed."""
    verdict = Verdict()
    required = expected.scored | expected.also
    for scenario in sorted(required | expected.unmet | results.keys()):
        checks = results.get(scenario, [])
        problems = complaints(scenario, checks, strictly=scenario in required)
        verdict.checks += sum(check["status"] == SUCCESS for check in checks)
        if checks and not problems:
            verdict.passed.add(scenario)
        if scenario not in expected.unmet:
            verdict.problems += problems
        elif not problems:
            verdict.problems.append(Problem(scenario, "-", "is listed as unmet, and did not fail"))
    return verdict


def complaints(scenario: str, checks: list[dict[str, Any]], *, strictly: bool) -> list[Problem]:
    fine = HARMLESS if strictly else LENIENT
    problems = [
        Problem(scenario, check["id"], f"{check['status']}: {check.get('errorMessage') or check['description']}")
        for check in checks
        if check["status"] not in fine
    ]
    if strictly and not any(check["status"] == SUCCESS for check in checks):
        problems.append(Problem(scenario, "-", "nothing succeeded" if checks else "was not run to its end"))
    return problems
