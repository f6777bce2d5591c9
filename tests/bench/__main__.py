"""How fast is the gate? `python -m tests.bench` measures it against the bare SDK, side by side."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from subprocess import CalledProcessError

from tests.bench import control_room, growth, record, rooms, workers
from tests.bench.contest import (
    CONTESTS,
    OURS,
    WARM_UP,
    Contest,
    House,
    Plan,
    Standing,
    compete,
    entrants,
    profile,
)
from tests.bench.load import WrongAnswer
from tests.bench.servers import ServerFailed

ROOMS = "rooms"
"""No contest: the SDK has none."""
ADMIN = "admin"
"""Likewise; and not among all, as it takes ten minutes and seven gigabytes."""
WORKERS = "workers"
"""Likewise: with itself."""
GROWTH = "growth"
"""Likewise."""
RECORD = "record"
"""Likewise, and without a target."""
COLUMNS = f"{'':<16}{'requests/s':>12}{'p50 µs':>9}{'p99 µs':>9}{'CPU µs/call':>13}{'RSS MiB':>9}{'errors':>8}"


def main() -> int:
    options = arguments()
    if options.only == ROOMS:
        return rooms.main(check=options.check)
    if options.only == ADMIN:
        return control_room.main(check=options.check, calls=options.calls)
    if options.only == WORKERS:
        return workers.main(check=options.check, pairs=options.pairs, seconds=options.seconds)
    if options.only == RECORD:
        return record.main(pairs=options.pairs, seconds=options.seconds)
    if options.only == GROWTH:
        figures = {name: getattr(options, name) for name in ("check", "calls", "pairs", "seconds")}
        return growth.main(**figures)
    plan = make_plan(options)
    with tempfile.TemporaryDirectory(prefix="concierge-bench-") as name:
        scratch = Path(name)
        house = House.build(scratch / "data")
        if options.profile:
            profile(house, CONTESTS[options.only or "echo"].call, plan, options.profile, scratch)
            print(f"profile written to {options.profile}")
            return 0
        is_every_target_met = True
        for contest in [CONTESTS[options.only]] if options.only else CONTESTS.values():
            with entrants(contest, house) as servers:
                standings = compete(contest.call, servers, plan, scratch)
            print(table(contest, standings), flush=True)
            if contest.target is not None:
                is_every_target_met &= judge(standings, contest.target)
            print(flush=True)
    return 1 if options.check and not is_every_target_met else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="rounds; in each, every server has its turn")
    parser.add_argument("--seconds", type=int, default=3, help="length of a turn")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument(
        "--only", choices=[*CONTESTS, ROOMS, ADMIN, WORKERS, GROWTH, RECORD], help="one instead of all contests"
    )
    parser.add_argument("--calls", type=int, default=control_room.CALLS, help="on record, for admin and growth")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="no contest: sample our server alone")
    options = parser.parse_args()
    if min(options.pairs, options.seconds, options.connections, options.calls // 1000) < 1:
        parser.error("--pairs, --seconds and --connections begin at 1, --calls at 1000")
    if options.profile and options.only in (ROOMS, ADMIN, WORKERS, GROWTH, RECORD):
        parser.error("--profile is for a contest")
    contest = CONTESTS.get(options.only)
    has_target = options.only != RECORD and (contest is None or contest.target is not None)
    if options.check and (options.profile or not has_target):
        parser.error("--check needs a contest that has a target")
    return options


def make_plan(options: argparse.Namespace) -> Plan:
    if sys.platform != "linux":
        raise SystemExit("The benchmark needs Linux: it reads /proc and pins processes to cores.")
    if not shutil.which("wrk"):
        raise SystemExit("The benchmark needs wrk (on Debian and Ubuntu: apt-get install wrk).")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("The benchmark needs two cores: one for the server, one for the load.")
    return Plan(options.pairs, options.seconds, options.connections, server_core=cores[0], load_core=cores[1])


def table(contest: Contest, standings: list[Standing]) -> str:
    ours, *others = standings
    what = f"{contest.call.tool} at {contest.call.revision}{', ours with Redis' if contest.is_shared else ''}"
    lines = [f"{what}: medians of {len(ours.rounds)} turns each, after {WARM_UP} s of warm-up", COLUMNS]
    lines += map(row, standings)
    lines += [ratios(ours, other) for other in others]
    return "\n".join(lines)


def row(standing: Standing) -> str:
    middle = standing.middle()
    return (
        f"{standing.name:<16}{middle.rate:>12,.0f}{middle.p50:>9,.0f}{middle.p99:>9,.0f}"
        f"{middle.cpu:>13,.1f}{middle.rss:>9.1f}{0:>8}"  # an error would have ended the run
    )


def ratios(ours: Standing, other: Standing) -> str:
    return (
        f"{OURS} / {other.name}: rate {ours.rate_ratio(other):.2f}, CPU {ours.cpu_ratio(other):.2f}"
        " (median of the pairs)"
    )


def judge(standings: list[Standing], target: float) -> bool:
    ours, mcpserver, *_ = standings
    ratio = ours.cpu_ratio(mcpserver)
    verdict = "met" if ratio <= target else "missed"
    print(f"target: CPU ratio to {mcpserver.name} ≤ {target}: {verdict} ({ratio:.3f})")
    return ratio <= target


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerFailed, CalledProcessError, WrongAnswer) as error:
        sys.exit(f"benchmark failed: {error}")
