"""What this process holds open, and what it runs on."""

import os
import time
from pathlib import Path

from django.conf import settings
from django.db import connections

from sessions_app.metrics import REDIS_AWAY, REDIS_AWAY_SECONDS, Total, counter, of_all, of_each, the_same
from sessions_app.pool import POOLS
from sessions_app.state import state

from .ends import ends
from .sockets import sockets

BUILD = the_same("concierge_build_info", "Always 1; the release is in the label.", ["version"])
WORKERS = of_all("concierge_workers", "Workers of this server that are alive.")

STREAMS = of_all("concierge_streams", "Open streams over HTTP.")
SOCKETS = of_all("concierge_sockets", "Open WebSockets, those of pages that show a room included.")
IN_FLIGHT = of_all("concierge_calls_in_flight", "Requests that are being worked on; streams and sockets are none.")

THREADS = of_all("concierge_pool_threads", "Threads that there may be, by pool.", ["pool"])
BUSY = of_all("concierge_pool_busy", "Threads that run a job, by pool.", ["pool"])
WAITING = of_all("concierge_pool_waiting", "Jobs that wait for a thread, by pool.", ["pool"])

CONNECTIONS = of_all("concierge_database_pool_size", "Connections to PostgreSQL.")
AVAILABLE = of_all("concierge_database_pool_available", "Connections to PostgreSQL that nobody uses.")
REQUESTS = of_all("concierge_database_pool_waiting", "Jobs that wait for a connection to PostgreSQL.")
DATABASE_ERRORS = counter(
    "concierge_database_pool_errors",
    "By kind: request (nobody gave it back in time), connection (not made), lost (it broke).",
    ["kind"],
)
ERRORS = {
    name: Total(DATABASE_ERRORS.labels(kind))
    for name, kind in {
        "requests_errors": "request",
        "connections_errors": "connection",
        "connections_lost": "lost",
    }.items()
}
"""By psycopg's names for them."""

OWN = Path("/proc/self")
MEMORY = of_each("concierge_worker_memory_bytes", "Resident memory of each worker.")
CPU = of_each("concierge_worker_cpu_seconds", "Processor time of each worker: it grows until that ends.")
FILES = of_each("concierge_worker_open_files", "Open files and sockets of each worker.")


def this_process(passed: float) -> None:
    BUILD.labels(settings.VERSION).set(1)
    WORKERS.set(1)
    CPU.set(time.process_time())


def what_is_open(passed: float) -> None:
    STREAMS.set(ends.streams)
    SOCKETS.set(len(sockets))
    IN_FLIGHT.set(ends.calls)


def pools(passed: float) -> None:
    for pool in POOLS:
        THREADS.labels(pool.name).set(pool.size)
        BUSY.labels(pool.name).set(pool.busy)
        WAITING.labels(pool.name).set(pool.waiting)


def redis(passed: float) -> None:
    REDIS_AWAY.set(state.is_away)
    if state.is_away:
        REDIS_AWAY_SECONDS.inc(passed)


def database_pool(passed: float) -> None:
    pool = getattr(connections["default"], "pool", None)  # of PostgreSQL alone
    if pool is None:
        return
    stats = pool.get_stats()
    CONNECTIONS.set(stats.get("pool_size", 0))
    AVAILABLE.set(stats.get("pool_available", 0))
    REQUESTS.set(stats.get("requests_waiting", 0))
    for name, total in ERRORS.items():
        total.reach(stats.get(name, 0))


def memory_and_files(passed: float) -> None:
    """Linux only: elsewhere there is no /proc, and these stay at 0."""
    if not OWN.exists():
        return
    pages = int((OWN / "statm").read_text().split()[1])
    MEMORY.set(pages * os.sysconf("SC_PAGE_SIZE"))
    # Since Linux 6.2 it says how many there are; before, each has to be looked at.
    FILES.set((OWN / "fd").stat().st_size or sum(1 for _ in (OWN / "fd").iterdir()))


LOOKS = (this_process, what_is_open, pools, redis, database_pool, memory_and_files)
"""For `Measuring`."""
