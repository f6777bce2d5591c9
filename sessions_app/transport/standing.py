"""The socket itself, as those see it who look after what is open: a call that lasts as long as it does."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from sessions_app.exceptions import Refused
from sessions_app.models import Session
from sessions_app.state import Ticket

from .durable import LISTS, tell
from .ends import ends
from .exchange import Exchange
from .kernel import HostedServer
from .listener import Listener
from .request import Request
from .socket_carrier import SocketCarrier


class Standing(Exchange):
    """Whoever cuts it ends the socket: its session was ended, or its credential is not valid any more.

    In the handshake era it also carries what no request asked for, as a GET stream does over HTTP.
    """

    lasts = True

    def __init__(self, carrier: SocketCarrier, end: Callable[[Refused | None], None]) -> None:
        super().__init__(carrier, secrets.token_hex(8))  # none that the client could cancel by chance
        self._end = end
        self._held = ExitStack()
        self._telling: asyncio.Task[None] | None = None

    def begin(self, server: HostedServer, request: Request[SocketCarrier], session: Session) -> None:
        """From here on its session lasts as long as the socket."""
        call = replace(request.call(session, self), ticket=Ticket(request.principal.owner))
        listener = Listener(server, call, LISTS if session.is_durable else frozenset(), frozenset())
        listener.takes_a_place = False
        self._held.enter_context(ends.call(call))
        self._held.enter_context(ends.told(listener))
        if session.is_durable:
            listener.is_of_session = True
            self._telling = asyncio.get_running_loop().create_task(tell(self, listener))

    def cut(self, because: Refused | None = None) -> None:
        self._end(because)

    def close(self) -> None:
        self._held.close()
        if self._telling is not None:
            self._telling.cancel()
