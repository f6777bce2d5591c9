"""`make failure`: what survives, at full size. Prints what it did; fails on the first thing that is wrong."""

import os
import time

os.environ |= {"DJANGO_SETTINGS_MODULE": "tests.failure.settings", "CONCIERGE_LOG_LEVEL": "WARNING"}

from tests.failure import kills, left, same_ids, turns
from tests.failure.servers import Site, site

ROUNDS = 1000
SECONDS = 60
REPLIES = 20_000
SESSIONS = 10_000


def in_turn(here: Site) -> str:
    seconds = turns.run(here, [here.start(), here.start()], ROUNDS)
    return f"{ROUNDS} rounds, none repeated, {seconds * 1000:.0f} ms each"


def killed(here: Site) -> str:
    toll = kills.run(here, here.start(WORKERS="2"), SECONDS)
    return (
        f"{toll.kills} kills, {toll.rounds} rounds, {toll.repeated} requests repeated,"
        f" {toll.acknowledged} acknowledged replies, nothing lost"
    )


def left_behind(here: Site) -> str:
    remains = left.run(here, here.start(), SESSIONS)
    return (
        f"{remains.opened} live after {remains.seconds:.0f} s, a bystander's slowest call"
        f" {remains.slowest_call * 1000:.0f} ms, memory {remains.grown:+.0f} MiB;"
        f" after the cleanup {remains.rows} rows"
    )


def confused(here: Site) -> str:
    replies = same_ids.run(here, here.start(WORKERS="2"), REPLIES)
    return f"{replies} replies to {same_ids.CLIENTS} clients in both eras, each its own"


TESTS = {
    "Two servers, request by request in turn": in_turn,
    "A worker killed every second": killed,
    "The same request ids at once": confused,
    "Sessions opened and left": left_behind,
}


def main() -> None:
    for name, test in TESTS.items():
        started = time.monotonic()
        with site() as here:
            print(f"{name}: {test(here)} ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
