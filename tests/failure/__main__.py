"""`make failure`: what survives, at full size. Prints what it did; fails on the first thing that is wrong."""

import argparse
import os
import time
from collections.abc import Callable

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.failure.settings", "CONCIERGE_LOG_LEVEL": "WARNING"}

from tests.failure import (
    behind_nginx,
    callers,
    cancels,
    cleaned,
    floods,
    fuzz,
    kills,
    left,
    outages,
    revocation,
    rooms,
    same_ids,
    slow_tools,
    soak,
    stalled,
    turns,
    unread,
    writes,
)
from tests.failure.servers import Site, embedded, site
from tests.redis_server import redis_server

ROUNDS = 1000
KILLS = 60
REPLIES = 20_000
SESSIONS = 10_000
TRIES = 100
ROWS = 100_000
INPUTS = 100_000
MEETING = 10_000
"""Messages in one room."""
IN_A_MEETING = 30
"""Workers killed meanwhile."""


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


def flooded(here: Site) -> str:
    """Sockets that flood, and sockets that do not read"""
    return "; ".join(
        f"{one.name}: {sum(one.ends.values())} sockets, closed with {codes_of(one)}, others' p99 {one.heard}"
        for one in floods.run(here, here.start())
    )


def codes_of(one: floods.Suffered) -> str:
    return " or ".join(str(code) if code else "nothing, but dropped" for code in sorted(one.ends))


def met(here: Site) -> str:
    """One room, 8 writers and 6 readers by every way"""
    server = here.start(WORKERS="2")
    return "; ".join(
        f"{toll.messages} messages in {toll.seconds:.0f} s, {toll.kills} workers killed, {toll.repeated} sent"
        f" again, readers came back {toll.returned} times and had read all {toll.caught_up:.1f} s after the last"
        for toll in (
            rooms.run(here, server, MEETING),
            rooms.run(here, server, MEETING, IN_A_MEETING),
        )
    )


def cleaned_up(here: Site) -> str:
    """Very many rows cleaned up on SQLite, while serving"""
    toll = cleaned.run(here, here.start(), ROWS)
    return (
        f"{toll.rows} rows in {toll.seconds:.0f} s; {toll.calls} calls meanwhile, p50 {toll.p50 * 1000:.0f} ms,"
        f" p99 {toll.p99 * 1000:.0f} ms, slowest {toll.slowest * 1000:.0f} ms"
    )


def fuzzed(here: Site) -> str:
    """Inputs that no client sends"""
    inputs, seed = int(os.environ.get("CONCIERGE_FUZZ_INPUTS", INPUTS)), fuzz.seed()
    with embedded() as alone:
        tolls = [
            fuzz.run(here, here.start(WORKERS="2"), inputs * 4 // 5, seed),
            fuzz.run(alone, alone.start(), inputs // 5, seed),
        ]
    return "; ".join(
        f"{name}: {toll.inputs} inputs in {toll.seconds:.0f} s, {toll.answers(2, 3)} done,"
        f" {toll.answers(4)} refused, none failed, memory {toll.grown:+.0f} MiB,"
        f" a bystander's slowest call {toll.slowest_call * 1000:.0f} ms"
        for name, toll in zip(("PostgreSQL", "SQLite"), tolls, strict=True)
    )


def soaked(here: Site) -> str:
    """An hour of everything"""
    minutes = float(os.environ.get("CONCIERGE_SOAK_MINUTES", "60"))
    with redis_server() as kept:
        here.environment["REDIS_URL"] = kept.url  # for the cleanup, too
        done = soak.run(here, here.start(WORKERS="2"), kept.url, minutes * 60, minutes)
    soak.check_flat(done.samples)
    return f"{sum(one.visits for one in done.samples)} visits, no error; {soak.ends(done.samples)}"


EMBEDDED: dict[str, Callable[[Site], str]] = {
    "cleaned": cleaned_up,
    "writers": callers.full_embedded,
    "outages": outages.full,
}
"""Those that need no services, or bring their own."""
TESTS: dict[str, Callable[[Site], str]] = {
    "turns": in_turn,
    "kills": killed,
    "every-second": killed_without_mercy,
    "same-ids": same,
    "left": left_behind,
    "revoked": revoked,
    "floods": flooded,
    "rooms": met,
    "fuzz": fuzzed,
    "soak": soaked,
    "writes": writes.full,
    "behind-nginx": behind_nginx.full,
    "reload": behind_nginx.reloaded,
    "stalled": stalled.full,
    "slow-tools": slow_tools.full,
    "unread": unread.full,
    "callers": callers.full,
    "cancels": cancels.full,
    **EMBEDDED,
}
WHEN_NAMED = {"soak"}
"""Those that `make failure` alone leaves out: they take an hour."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.failure", description=__doc__)
    parser.add_argument("tests", nargs="*", metavar="TEST", help=f"of {', '.join(TESTS)}; without: all but soak")
    wanted = parser.parse_args().tests or [name for name in TESTS if name not in WHEN_NAMED]
    if unknown := set(wanted) - TESTS.keys():
        parser.error(f"no such test: {', '.join(sorted(unknown))}")
    for name in wanted:
        started = time.monotonic()
        with embedded() if name in EMBEDDED else site() as here:
            result = TESTS[name](here)
        print(f"{TESTS[name].__doc__}: {result} ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
