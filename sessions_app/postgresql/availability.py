"""Whether the database answers. It is asked only when somebody has waited for it for a while."""

import logging
import threading
import time
from collections.abc import Callable
from math import inf

from psycopg import Error, OperationalError, errors, generators, waiting
from psycopg.conninfo import conninfo_to_dict, make_conninfo

logger = logging.getLogger(__name__)

SUSPICIOUS = 0.4
"""Seconds of waiting, for an answer or for a connection, after which the database is asked whether it is there."""
PATIENCE = 0.8
"""Seconds that it has for that. Both together, and a tick, are what anybody waits for one that is away."""
EVERY = 1.0
"""Seconds between two questions: while it is away, and while somebody waits for what simply takes long."""
TICK = 0.05
SERVER_SAYS = "FATAL"
"""In what libpq says of a server that answered, but takes nobody: full, starting, or not his. (Some languages have
another word. Then such a server counts as one that does not answer.)"""


class Away(OperationalError):
    """It does not answer: nothing was asked of it."""


class Silent(OperationalError):
    """It did not answer, and the connection was given up with what was asked on it."""


class Availability:
    """One for the process. While the database is away one thread asks, and everybody else is told at once."""

    def __init__(self) -> None:
        self.let_go: Callable[[], None] = lambda: None
        """Called, in the thread that asks, with each answer that does not come: what is open is of no use."""
        self.answered_at = 0.0
        """When it last gave an answer, on whichever connection, by `time.monotonic()`. Who gets one notes it."""
        self.on_return: list[Callable[[], None]] = []
        """Called in the same thread, when it is back."""
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked_until = 0.0
        self._away_since = 0.0
        self._took_nobody_at = -inf

    @property
    def is_away(self) -> bool:
        return bool(self._away_since)

    @property
    def takes_nobody(self) -> bool:
        """It answered, not long ago, that it makes no new connections. Those that there are may well work."""
        return time.monotonic() < self._took_nobody_at + 2 * EVERY

    def check(self) -> None:
        """Raises: Away."""
        if self._away_since:
            raise Away("The database does not answer.")

    def suspect(self, conninfo: Callable[[], str]) -> None:
        """Have it asked, unless it answered a moment ago. Waits for nothing."""
        with self._lock:
            is_asked = self._asking is not None and self._asking.is_alive()
            if not is_asked and (self.is_away or time.monotonic() >= self._asked_until):
                self._asking = threading.Thread(
                    target=self._ask, args=(conninfo(),), name="is the database there?", daemon=True
                )
                self._asking.start()

    def _ask(self, conninfo: str) -> None:
        """Until it answers: this, or, once it is away, what somebody else asked. A machine that is very busy may
        take long to make a connection, and while others get their answers nobody's is to be given up: then it has
        from the last of these on."""
        patience = PATIENCE
        while True:
            answered_at = self.answered_at
            failure = failure_of(conninfo, patience)
            takes_nobody = failure is not None and SERVER_SAYS in failure
            self._took_nobody_at = time.monotonic() if takes_nobody else -inf
            is_silent = self.answered_at == answered_at
            if failure is None or takes_nobody or (self.is_away and not is_silent):
                break
            if is_silent:
                self._go_away(failure)
                time.sleep(EVERY)
                patience = PATIENCE
            else:
                patience = max(TICK, self.answered_at + PATIENCE - time.monotonic())
        self._asked_until = time.monotonic() + EVERY
        self._come_back()

    def _go_away(self, failure: str) -> None:
        if not self._away_since:
            self._away_since = time.monotonic()
            logger.error("The database does not answer; what needs it is refused until it does: %s", failure)
        self.let_go()

    def _come_back(self) -> None:
        if since := self._away_since:
            self._away_since = 0.0
            logger.warning("The database answers again, after %.0f s", time.monotonic() - since)
            for tell in self.on_return:
                tell()


def failure_of(conninfo: str, patience: float = PATIENCE) -> str | None:
    """A connection is made, which takes a process that runs; None if it was. Of several hosts one is enough."""
    failure = None
    for one in one_by_one(conninfo):
        failure = failure_at(one, patience)
        if failure is None or SERVER_SAYS in failure:
            break
    return failure


def one_by_one(conninfo: str) -> list[str]:
    """One for each host that it names, in turn; libpq would stay with the first that says nothing."""
    hosts, ports = (str(conninfo_to_dict(conninfo).get(name, "")).split(",") for name in ("host", "port"))
    if len(hosts) == 1:
        return [conninfo]
    ports *= len(hosts) if len(ports) == 1 else 1
    return [make_conninfo(conninfo, host=host, port=port) for host, port in zip(hosts, ports, strict=False)]


def failure_at(conninfo: str, patience: float) -> str | None:
    try:
        waiting.wait_conn(generators.connect(conninfo), interval=TICK, timeout=patience).finish()
    except errors._WaitTimeout:
        return f"no answer within {PATIENCE:g} s"
    except (Error, OSError) as error:  # it is the system that has no room
        return str(error).strip().partition("\n")[0]
    return None


availability = Availability()
