"""The sockets of this process: how many there may be, and how they all end."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from sessions_app.exceptions import Refused
from sessions_app.models import Session
from sessions_app.pool import background_pool
from sessions_app.principal import Principal

from .places import TRY_LATER, stopping

MOST = 5000
MOST_OF_ONE = 100
"""Of one user, whatever they come with."""
MOST_OF_NETWORK = 500
"""From one address (IPv6: one /64). A whole office may share one."""


class Open(Protocol):
    def leave(self) -> None:
        """End when what is under way is answered; take up nothing more. May be said again."""


class Sockets:
    def __init__(self) -> None:
        self._open: set[Open] = set()
        self._of: Counter[str] = Counter()
        """How many there are, by user and by network."""
        self._ended: deque[tuple[str, int]] = deque()
        """Sessions whose sockets are gone, and why."""
        self.is_closing = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def place(self, principal: Principal, network: str) -> Iterator[None]:
        """For one more socket, inside this block. Raises: Refused (503, 429)."""
        self._check_room(principal, network)
        owners = (principal.owner, network)
        self._of.update(owners)
        try:
            yield
        finally:
            self._of.subtract(owners)
            for owner in owners:
                if not self._of[owner]:
                    del self._of[owner]

    def _check_room(self, principal: Principal, network: str) -> None:
        if self.is_closing:
            raise stopping()
        if len(self._open) >= MOST:
            raise Refused("The server has too many open sockets.", status=503, headers=TRY_LATER)
        if self._of[principal.owner] >= MOST_OF_ONE:
            raise Refused("Too many open sockets of this user.", status=429, headers=TRY_LATER)
        if self._of[network] >= MOST_OF_NETWORK:
            raise Refused("Too many open sockets from this address.", status=429, headers=TRY_LATER)

    @contextmanager
    def holding(self, socket: Open) -> Iterator[None]:
        """`socket` is told when the server stops."""
        self._open.add(socket)
        if self.is_closing:
            socket.leave()
        try:
            yield
        finally:
            self._open.discard(socket)

    def close(self) -> None:
        """As a shutdown begins. May be said again."""
        self.is_closing = True
        for socket in tuple(self._open):
            socket.leave()

    def reopen(self) -> None:
        self.is_closing = False

    def end_session(self, session: Session, reason: str) -> None:
        """Its socket is gone. Those that go together are ended together: all of a server's, when that stops."""
        self._ended.append((reason, session.pk))
        background_pool.later(self._end_sessions)

    def _end_sessions(self) -> None:
        """On a thread. Often there is nothing left to do: another one has taken them all."""
        ended: dict[str, list[int]] = defaultdict(list)
        with suppress(IndexError):
            while True:
                reason, pk = self._ended.popleft()
                ended[reason].append(pk)
        for reason, pks in ended.items():
            Session.objects.filter(pk__in=pks).close(reason)


sockets = Sockets()
