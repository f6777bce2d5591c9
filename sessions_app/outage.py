"""A database that is away, which is nobody's mistake: by what it is known, and what is said of it."""

import logging
import time

import psycopg
from django.db import Error as DatabaseFailure
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from .postgresql.connection import Unconfirmed

SAID_EVERY = 10.0
"""Seconds. While it is away it fails whoever asks, and each line would say the same."""
STATES = ("08", "57P01", "57P02", "57P03", "53", "25006", "58")
"""Beginnings of SQLSTATEs (PostgreSQL, appendix A): no connection, stopped, crashed, starting, out of something
such as memory, disk or connections, read-only, trouble with its files."""


def is_outage(error: BaseException | None) -> bool:
    """Whether this is Django's word for a database that is away or takes no changes, whatever was asked of it."""
    cause = error.__cause__ if isinstance(error, DatabaseFailure) else None
    if not isinstance(cause, psycopg.Error):
        return False
    if cause.sqlstate is None:  # not the server's: no connection, or it was lost
        return isinstance(cause, psycopg.OperationalError)
    return cause.sqlstate.startswith(STATES)


def is_unconfirmed(error: BaseException) -> bool:
    """Whether what was asked may have been carried out all the same."""
    return isinstance(error.__cause__, Unconfirmed)


OF_REDIS = (RedisError, ConnectionInterrupted)


class Log:
    """Says of outages that there is one, and of other failures all there is to say."""

    def __init__(self) -> None:
        self._next = 0.0

    def tell(self, logger: logging.Logger, said: str, error: BaseException) -> None:
        if is_outage(error) or isinstance(error, OF_REDIS):
            self.seldom(logger, said, error)
        else:
            logger.error(said, exc_info=error)

    def seldom(self, logger: logging.Logger, said: str, error: BaseException) -> None:
        """For what fails again and again until something is back, and matters no more each time."""
        if (now := time.monotonic()) >= self._next:
            self._next = now + SAID_EVERY
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            logger.warning("%s: %s (said once in %g s)", said, reason, SAID_EVERY)


log = Log()
