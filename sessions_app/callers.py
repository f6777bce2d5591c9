"""Who calls, as the database says: at the epoch of authority that is now, and within the last second."""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from .exceptions import RateLimited, Unauthenticated
from .limits import BAD_CREDENTIAL, Bucket
from .principal import Principal
from .recent import Recent
from .state import Epoch, Ticket, state

REMEMBERED = 60.0
"""Seconds that somebody is remembered by what he presented, so that his call can be counted as his."""


class Presented(NamedTuple):
    """What a request presents: a credential, or nothing but the place it comes from."""

    key: bytes
    """One for the same credential, of which nobody can make the credential again."""
    identify: Callable[[], Awaitable[Principal]]
    """Looks it up. Raises: Unauthenticated."""
    network: str


class Callers:
    def __init__(self) -> None:
        self._met: Recent[bytes, Principal] = Recent(lifetime=REMEMBERED)
        self._known: Recent[tuple[bytes, Epoch], Principal] = Recent()
        self._suspects: dict[str, float] = {}
        """Networks that presented too many bad credentials, and until when they are not looked up."""

    async def meet(self, presented: Presented) -> Principal:
        """Who it is, as far as it takes to count his call. What he may do may be a minute old.

        Raises: Unauthenticated, RateLimited.
        """
        principal = self._met.get(presented.key)
        if principal is not None:
            return principal
        self.refuse_suspect(presented.network)
        try:
            return await self._met.read(presented.key, presented.identify)
        except Unauthenticated:
            await self.suspect(presented.network)
            raise

    async def know(self, presented: Presented, epoch: Epoch) -> Principal:
        """Who it is and what he may do. `epoch` is what the state said a moment ago, before anything is read here.

        Raises: Unauthenticated.
        """
        key = (presented.key, epoch)
        return self._known.get(key) or await self._known.read(key, lambda: self._read(presented))

    async def _read(self, presented: Presented) -> Principal:
        try:
            principal = await presented.identify()
        except Unauthenticated:
            self._met.drop(presented.key)
            await self.suspect(presented.network)
            raise
        self._met.put(presented.key, principal)
        return principal

    def refuse_suspect(self, network: str) -> None:
        """Only of those that nobody has met lately: whose neighbour guesses is not locked out in mid-work."""
        until = self._suspects.get(network)
        if until is None:
            return
        if (wait := until - time.monotonic()) > 0:
            raise RateLimited(Bucket(BAD_CREDENTIAL, network), wait)
        del self._suspects[network]

    async def suspect(self, network: str) -> None:
        bucket = Bucket(BAD_CREDENTIAL, network)
        admission = await state.admit(Ticket("", [bucket]))
        if admission.refused is not None:
            self._suspects[network] = time.monotonic() + admission.retry_after

    def forget(self) -> None:
        """Read everybody anew."""
        self._met.forget()
        self._known.forget()

    def pardon(self) -> None:
        self._suspects.clear()


callers = Callers()
