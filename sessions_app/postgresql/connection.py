"""A connection on which nobody waits for a database that is away."""

import select
import time
from typing import Any

import psycopg
from psycopg import OperationalError, errors, waiting
from psycopg.abc import PQGen

from .availability import SUSPICIOUS, TICK, Silent, availability


class Unconfirmed(OperationalError):
    """Lost on a commit, or on a statement that commits by itself: it may have been carried out."""


class WatchedConnection(psycopg.Connection[Any]):
    def wait[T](self, gen: PQGen[T], interval: float = TICK, timeout: float | None = None) -> T:
        """As psycopg's, but it ends when the database is found to be away. Raises: Silent, Unconfirmed."""
        try:
            if timeout is not None:
                return super().wait(gen, interval, timeout)
            return self._wait(gen, interval, SUSPICIOUS)
        except OperationalError as error:
            if self.autocommit and self._is_lost_by(error):
                raise Unconfirmed(str(error)) from error
            raise

    def _wait[T](self, gen: PQGen[T], interval: float, timeout: float) -> T:
        if self.closed:  # what is not begun need not be given up
            raise OperationalError("the connection is closed")
        try:
            wanted = next(gen)
        except StopIteration as end:  # nothing is asked of the server, as when `autocommit` is set
            done: T = end.value
            return done
        waited_for = taken_up(gen, wanted)
        while True:
            try:
                answer = super().wait(waited_for, interval, timeout)
            except errors._WaitTimeout:
                availability.suspect(self._conninfo)
                if availability.is_away:
                    self.pgconn.finish()  # whatever is said on it after all is no answer to anybody any more
                    raise Silent("The database did not answer.") from None
                waited_for, timeout = taken_up(gen), TICK
            else:
                availability.answered_at = time.monotonic()
                return answer

    def commit(self) -> None:
        """Raises: Unconfirmed."""
        try:
            super().commit()
        except Unconfirmed:
            raise
        except OperationalError as error:
            if self._is_lost_by(error):
                raise Unconfirmed(str(error)) from error
            raise

    def _is_lost_by(self, error: OperationalError) -> bool:
        return self.closed or (error.sqlstate or "").startswith(("08", "57P"))

    def _conninfo(self) -> str:
        options = {option.keyword: option.val for option in self.pgconn.info if option.val is not None}
        return psycopg.conninfo.make_conninfo(**{name.decode(): value.decode() for name, value in options.items()})


def taken_up[T](gen: PQGen[T], wanted: waiting.Wait | None = None) -> PQGen[T]:
    """`gen`, which has begun, and waits for `wanted`; or where a wait that timed out has left it: what was to be
    sent may be half way. Whoever waits begins with None, and it expects to be told what is ready.
    """
    ready: int = waiting.READY_NONE
    try:
        if wanted is not None:
            ready = yield wanted
        while True:
            ready = yield gen.send(ready)
    except StopIteration as end:
        answer: T = end.value
        return answer


def has_ended(connection: psycopg.Connection[Any]) -> bool:
    """Without asking the server: an idle connection has nothing to say, but that it ends."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
