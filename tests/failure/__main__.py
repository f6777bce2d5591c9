"""`make failure`: what survives, at full size. Prints what it did; fails on the first thing that is wrong."""

import argparse
import os
import time
from collections.abc import Callable

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.failure.settings", "CONCIERGE_LOG_LEVEL": "WARNING"}

from tests.failure import cleaned, floods, kills, left, outages, revocation, same_ids, turns
from tests.failure.servers import Site, embedded, site
from tests.redis_server import redis_server

ROUNDS = 1000
KILLS = 60
REPLIES = 20_000
SESSIONS = 10_000
TRIES = 100
ROWS = 100_000


def in_turn(here: Site) -> str:
    """Two servers, request by request in turn"""
    seconds = turns.run(here, [here.start(), here.start()], ROUNDS)
    return f"{ROUNDS} rounds, none repeated, {seconds * 1000:.0f} ms each"


def killed(here: Site) -> str:
    """Workers killed under load"""
    return told(kills.run(here, here.start(WORKERS=str(kills.WORKERS)), KILLS))


def killed_without_mercy(here: Site) -> str:
    """A worker killed every second, whatever is left"""
    return told(kills.run_without_mercy(here, here.start(WORKERS="2"), KILLS))


def told(toll: kills.Toll) -> str:
    return (
        f"{toll.kills} kills in {toll.seconds:.0f} s, {len(toll.rounds)} rounds,"
        f" {toll.repeated} requests repeated, {toll.acknowledged} acknowledged replies, nothing lost,"
        f" {toll.longest_pause * 1000:.0f} ms at most between rounds"
    )


def same(here: Site) -> str:
    """The same request ids at once"""
    replies = same_ids.run(here, here.start(WORKERS="2"), REPLIES)
    return (
        f"{replies} replies in both eras and over sockets, to {same_ids.CLIENTS} clients with a credential each"
        f" and to {same_ids.CLIENTS_OF_ONE} with one, each its own"
    )


def left_behind(here: Site) -> str:
    """Sessions opened and left"""
    remains = left.run(here, here.start(), SESSIONS)
    return (
        f"{remains.opened} live after {remains.seconds:.0f} s, a bystander's slowest call"
        f" {remains.slowest_call * 1000:.0f} ms, memory {remains.grown:+.0f} MiB;"
        f" after the cleanup {remains.rows} rows"
    )


def revoked(here: Site) -> str:
    """Keys revoked while they are used"""
    toll = revocation.run(here, here.start(WORKERS="2"), TRIES)
    return (
        f"{toll.tries} keys, {toll.calls} calls, none succeeded after the commit had returned; streams ended"
        f" after {toll.stream_p50 * 1000:.0f} ms (p50), {toll.stream_p99 * 1000:.0f} ms (p99)"
    )


def redis_away(here: Site) -> str:
    """Redis killed, paused, emptied"""
    with redis_server() as kept:
        suffered = outages.run(here, here.start(WORKERS="2", REDIS_URL=kept.url), kept)
    return "; ".join(
        f"{outage.name}: {outage.calls} calls, none refused, {outage.waited} waited, the slowest"
        f" {outage.slowest * 1000:.0f} ms (usual p99 {outage.usual_p99 * 1000:.0f} ms), counted again after"
        f" {outage.back_after:.1f} s"
        for outage in suffered
    )


def flooded(here: Site) -> str:
    """Sockets that flood, and sockets that do not read"""
    return "; ".join(
        f"{one.name}: {sum(one.ends.values())} sockets, closed with {codes_of(one)}, others' p99"
        f" {one.flooded * 1000:.1f} ms ({one.quiet * 1000:.1f} ms in quiet)"
        for one in floods.run(here, here.start())
    )


def codes_of(one: floods.Suffered) -> str:
    return " or ".join(str(code) if code else "nothing, but dropped" for code in sorted(one.ends))


def cleaned_up(here: Site) -> str:
    """Very many rows cleaned up on SQLite, while serving"""
    toll = cleaned.run(here, here.start(), ROWS)
    return (
        f"{toll.rows} rows in {toll.seconds:.0f} s; {toll.calls} calls meanwhile, p50 {toll.p50 * 1000:.0f} ms,"
        f" p99 {toll.p99 * 1000:.0f} ms, slowest {toll.slowest * 1000:.0f} ms"
    )


EMBEDDED: dict[str, Callable[[Site], str]] = {"cleaned": cleaned_up}
"""Those that need no services."""
TESTS: dict[str, Callable[[Site], str]] = {
    "turns": in_turn,
    "kills": killed,
    "every-second": killed_without_mercy,
    "same-ids": same,
    "left": left_behind,
    "revoked": revoked,
    "redis": redis_away,
    "floods": flooded,
    **EMBEDDED,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.failure", description=__doc__)
    parser.add_argument("tests", nargs="*", metavar="TEST", help=f"of {', '.join(TESTS)}; without: all")
    wanted = parser.parse_args().tests or list(TESTS)
    if unknown := set(wanted) - TESTS.keys():
        parser.error(f"no such test: {', '.join(sorted(unknown))}")
    for name in wanted:
        started = time.monotonic()
        with embedded() if name in EMBEDDED else site() as here:
            result = TESTS[name](here)
        print(f"{TESTS[name].__doc__}: {result} ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
