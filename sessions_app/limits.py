"""Every limit on how often something may happen, by name.

Each is a true sliding window: at most `most` in any `seconds`, however they fall. While Redis is away each
process counts for itself; a limit that must not be exceeded even then is closed instead.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from django.conf import settings

from .rates import HOUR, MINUTE, UNITS, is_rate, parse_rate


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    most: int
    seconds: int
    is_closed_without_redis: bool = False
    """Refuses everything while Redis is away, where it is used; others count in each process meanwhile."""

    def at(self, rate: str) -> Self:
        """The same limit at another rate, as an operator wrote it; none, or what is none, changes nothing.

        Forms refuse what is none; a row may hold it all the same, and must not keep others from being read.
        """
        if not is_rate(rate):
            return self
        most, seconds = parse_rate(rate)
        return replace(self, most=most, seconds=seconds)

    @property
    def rate(self) -> str:
        """`100/h`, or `100 in 90 s` where no unit fits."""
        units = {seconds: unit for unit, seconds in UNITS.items()}
        unit = units.get(self.seconds)
        return f"{self.most}/{unit}" if unit else f"{self.most} in {self.seconds} s"


@dataclass(frozen=True)
class Bucket:
    """Where one caller's calls are counted against one limit."""

    limit: Limit
    owner: str
    """Who is counted: `user:7`, `api-key:12`, `guest:192.0.2.1/32`; for a tool's own limit, and its name."""

    @cached_property
    def key(self) -> str:
        return f"{self.limit.name}:{self.owner}"


CALLS = Limit("calls", 6000, MINUTE).at(settings.CALL_RATE)
"""Requests of one user, over all transports and credentials. Generous: it is there for runaway loops."""
API_KEY = Limit("api-key", 3000, MINUTE).at(settings.KEY_RATE)
"""Requests with one API key; each key may have a rate of its own."""
CREDENTIAL = Limit("credential", 1, MINUTE)
"""Requests with one credential of another kind, if it has a rate of its own."""
MESSAGES = Limit("messages", 6000, MINUTE)
"""What answers, cancels, listens or leaves, of one user: as a rule the other half of what was counted."""
GUEST_MESSAGES = Limit("guest-messages", 300, MINUTE)
"""The same of one address without a credential."""
GUEST = Limit("guest", 60, MINUTE)
"""Requests of one address (IPv6: of one /64) without a credential."""
OPERATION = Limit("operation", 100, HOUR)
"""The seed's: what `rate-limited-operation` may be called."""
RESET_PASSWORD = Limit("reset-password", 10, HOUR, is_closed_without_redis=True)
"""Passwords that one administrator takes away through `admin-operations`."""
DELETE_USER = Limit("delete-user", 10, HOUR, is_closed_without_redis=True)
"""Accounts that one administrator deletes through `admin-operations`."""
API = Limit("api", 600, MINUTE)
"""REST requests of one user, or of one address that has not signed in."""
SIGN_IN_ADDRESS = Limit("sign-in-address", 20, MINUTE)
"""Failed sign-ins from one address."""
SIGN_IN_ACCOUNT = Limit("sign-in-account", 10, HOUR)
"""Failed sign-ins to one account from addresses that it has not signed in from; its owner is not locked out."""
BAD_CREDENTIAL = Limit("bad-credential", 60, MINUTE)
"""Requests with a credential that is not valid, from one address. More are refused without a look-up."""

MOST_AT_ONCE = 64
"""Calls of one principal that run at the same time, in all processes."""
