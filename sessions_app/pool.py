"""Bounded sets of threads that run Django code for the event loop.

`sync_to_async` would run all callers one after another on one shared thread. Here they run side by
side, each thread with a connection of its own (SQLite: kept open; PostgreSQL: borrowed from
psycopg's pool for the job).
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from opentelemetry.context import Context

from .outage import log
from .request_ids import request_id
from .tracing import tracing

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a closing pool waits for its jobs. A thread cannot be stopped, only left behind."""


class Pool:
    """Threads for ORM code. Made on first use, so that a fork or a short command never starts one."""

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self._executor: ThreadPoolExecutor | None = None
        self._connections: list[BaseDatabaseWrapper] = []
        self._jobs: set[Future[Any]] = set()

    @property
    def busy(self) -> int:
        """Threads that run a job."""
        return min(len(self._jobs), self.size)

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread."""
        return max(0, len(self._jobs) - self.size)

    def submit[T](self, job: Callable[[], T]) -> "Future[T]":
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self.size, self.name, self._begin_thread)
        future = self._executor.submit(for_request, job, request_id.get(), tracing.context())
        self._jobs.add(future)
        future.add_done_callback(self._jobs.discard)
        return future

    async def run[T](self, job: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self.submit(job))

    def later(self, job: Callable[[], Any]) -> None:
        """Run `job` off the reply's path. What it raises goes to the log."""
        self.submit(partial(logging_failure, job))

    def close(self) -> bool:
        """Finish what was submitted, then end the connections. What is stuck is left behind, and logged: False."""
        executor, self._executor = self._executor, None
        if executor is None:
            return True
        executor.shutdown(wait=False)
        _, stuck = wait(self._jobs, timeout=PATIENCE)
        if stuck:
            logger.error("%d jobs on the %s threads did not end in %g s", len(stuck), self.name, PATIENCE)
            return False
        while self._connections:
            self._connections.pop().close()
        return True

    def _begin_thread(self) -> None:
        # A thread cannot be told to do something last, so whoever ends it closes its connections.
        for connection in connections.all():
            if connection.vendor == "sqlite":
                # These threads stay, and their connections with them.
                connection.settings_dict = {**connection.settings_dict, "CONN_MAX_AGE": None}
            connection.inc_thread_sharing()
            self._connections.append(connection)


def for_request[T](job: Callable[[], T], of_request: str, spans: Context | None) -> T:
    """Run `job` on a thread for that request.

    Only its id and its span come along, not all context variables: Django keeps its caches' connections in
    there, and each job would make its own.
    """
    naming = request_id.set(of_request)
    try:
        if spans is None:
            return with_fresh_connections(job)
        with tracing.within(spans):
            return with_fresh_connections(job)
    finally:
        request_id.reset(naming)


def with_fresh_connections[T](job: Callable[[], T]) -> T:
    # Django does this around each HTTP request; its request signals never fire for MCP calls.
    close_old_connections()
    try:
        return job()
    finally:
        close_old_connections()


def logging_failure(job: Callable[[], Any]) -> None:
    try:
        job()
    except Exception as error:  # noqa: BLE001 (nobody waits for it)
        log.tell(logger, "A background job failed", error)


# Who calls is only ever read on this one: a writer may have to wait for a tool's lock (on SQLite there is
# but one), and whoever waited behind it could not be identified.
identity_pool = Pool("identity", settings.IDENTITY_THREADS)
# New sessions, the record, notes of use: one thread, so at most one of them waits for a lock.
background_pool = Pool("background", 1)
# Opening a session may take its time when there are many; whoever asks or replies need not wait behind it.
opening_pool = Pool("opening", 1)
# One look at all open streams twice a second, however many: no caller waits behind that either.
sweep_pool = Pool("sweep", 1)
# What is new in rooms, read once for all browsers that show them.
rooms_pool = Pool("rooms", 1)
tool_pool = Pool("tools", settings.TOOL_THREADS)
# Who looks at this process from outside: one who waits for the database, one for Redis, one who writes it down.
metrics_pool = Pool("metrics", 3)
POOLS = (tool_pool, rooms_pool, opening_pool, background_pool, sweep_pool, identity_pool, metrics_pool)
