"""Running a bound function: on the pool or on the loop, within its time, and undone if it is given up."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

from django.db import transaction

from sessions_app.deadline import Deadline, time_of_call
from sessions_app.pool import tool_pool
from sessions_app.tracing import tracing

from .exceptions import TimedOut
from .shares import shares

logger = logging.getLogger(__name__)


class GivenUp(Exception):
    """The caller left or the time is over. Raised inside the transaction, so that it rolls back."""


class Job[T]:
    """Synchronous work on a pool thread, which may be given up until the moment it commits.

    Whoever comes first decides, under a lock: so a call that was reported as stopped has changed
    nothing, and one that has changed something is reported as done.
    """

    def __init__(self, work: Callable[[], T], *, writes: bool) -> None:
        self._work = work
        self._writes = writes
        self._lock = threading.Lock()
        self._is_given_up = False
        self._is_committing = False
        self.has_committed = False
        """What it wrote stands, whatever happens afterwards."""

    def __call__(self) -> T:
        if self._is_given_up:
            raise GivenUp
        with tracing.span("transaction" if self._writes else "read"):
            return self._run()

    def _run(self) -> T:
        if not self._writes:
            return self._work()
        try:
            with transaction.atomic():
                transaction.on_commit(self._committed)  # the first of the hooks
                result = self._work()
                self._begin_commit()
        except Exception:
            if not self.has_committed:
                raise
            logger.exception("A hook failed after its call had been committed")
        return result

    def _committed(self) -> None:
        self.has_committed = True

    def _begin_commit(self) -> None:
        with self._lock:
            if self._is_given_up:
                raise GivenUp
            self._is_committing = True

    def give_up(self) -> bool:
        """False if it is too late: the work is being committed."""
        with self._lock:
            self._is_given_up = not self._is_committing
            return self._is_given_up


async def run_on_pool[T](job: Job[T], timeout: float, owner: str) -> T:
    """For `owner`, as limits count callers.

    Raises: TimedOut after `timeout` seconds, unless the job is committing by then; Crowded.
    """
    await shares.take(owner)
    on_thread = tool_pool.submit(job)
    on_thread.add_done_callback(lambda done: shares.give_back(owner))
    running = asyncio.wrap_future(on_thread)
    try:
        await asyncio.wait((running,), timeout=timeout)
    except asyncio.CancelledError:
        if not job.give_up():
            await asyncio.wait((running,))  # a commit is short; then we know what to record
        # Nobody awaits it any more; what it raises later is not news.
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise
    if not running.done() and job.give_up():
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise TimedOut(f"Stopped after {timeout:g} s; nothing was changed.")
    return await running


async def run_on_loop[T](work: Awaitable[T], timeout: float) -> T:
    """Raises: TimedOut. A TimeoutError of the work's own passes through. Waiting for people does not count."""
    try:
        async with Deadline(timeout) as limit:
            time_of_call.set(limit)  # for this task, which is this call's alone, and for those that it makes
            return await work
    except TimeoutError:
        if limit.has_passed:
            raise TimedOut(f"Stopped after {timeout:g} s.") from None
        raise
