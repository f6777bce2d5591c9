"""Does the server speak MCP? `python -m tests.conformance` asks the official suite, and clients of others."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from subprocess import CalledProcessError

from tests.bench.servers import ServerFailed

from . import clients
from .server import errors, serving
from .suite import LEGS, Leg, NotInstalled, node
from .verdict import Verdict

CLIENTS = "clients"
COLUMNS = f"{'revision':<12}{'scored':>9}{'also':>9}{'unmet':>9}{'checks':>9}{'seconds':>9}"


def main() -> int:
    options = arguments()
    node()
    with tempfile.TemporaryDirectory(prefix="concierge-conformance-") as name:
        scratch = Path(name)
        log = scratch / "server.log"
        with serving(scratch, log) as served:
            if options.serve:
                return serve(served.origin)
            failed = run([leg for leg in LEGS if leg.revision in options.parts], served.origin, scratch)
            failed += clients.run(served, scratch) if CLIENTS in options.parts else []
        failed += [f"server: {line}" for line in errors(log)]
        if options.keep:
            shutil.copytree(scratch, options.keep, ignore=shutil.ignore_patterns("data"), dirs_exist_ok=True)
    for line in failed:
        print("FAILED", line)
    if failed and not options.keep:
        print("With --keep DIR the suite's files and the server's log are kept there.")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parts = [*(leg.revision for leg in LEGS), CLIENTS]
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; without: all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy the suite's files and the logs there")
    parser.add_argument("--serve", action="store_true", help="only serve, for running the suite by hand")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(parts):
        parser.error(f"not a part that is run: {', '.join(sorted(unknown))}")
    options.parts = options.parts or parts
    return options


def run(legs: list[Leg], origin: str, scratch: Path) -> list[str]:
    """Run each leg and print its line. What failed."""
    if legs:
        print(COLUMNS, flush=True)
    failed: list[str] = []
    for leg in legs:
        verdict, seconds = leg.run(origin, scratch / leg.revision)
        print(row(leg, verdict, seconds), flush=True)
        failed += [f"{leg.revision} {problem}" for problem in verdict.problems]
    return failed


def row(leg: Leg, verdict: Verdict, seconds: float) -> str:
    scored, also = (
        f"{len(names & verdict.passed)}/{len(names)}" for names in (leg.expected.scored, leg.expected.also)
    )
    return f"{leg.revision:<12}{scored:>9}{also:>9}{len(leg.expected.unmet):>9}{verdict.checks:>9}{seconds:>9.1f}"


def serve(origin: str) -> int:
    print(*(f"{leg.revision}: {origin}{leg.path}" for leg in LEGS), sep="\n", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (NotInstalled, ServerFailed, CalledProcessError) as error:
        sys.exit(f"conformance failed: {error}")
