"""The name of the request that is being served, which its log lines, its record and its answer share."""

import random
import re
from collections.abc import Iterable
from contextvars import Context, ContextVar

WELL_FORMED = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADER = b"x-request-id"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Empty: nobody's request, such as a sweep. It reaches the threads of our pools, too (`pool.py`)."""


def new_id() -> str:
    """It names, and proves nothing: so it need not be hard to guess, but it must not tell how many there were."""
    return f"{random.getrandbits(64):016x}"


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What the proxy calls it. None if it does not, or in a way that could do harm in a log, or twice."""
    given = [value for name, value in headers if name == HEADER]
    if len(given) == 1 and WELL_FORMED.fullmatch(given[0]):
        return given[0].decode()
    return None


def of_nobody() -> Context:
    """Where to begin what outlives the request that happened to begin it: its lines are not that request's."""
    return Context()
