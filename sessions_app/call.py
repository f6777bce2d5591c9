"""One call: who makes it, in which session, and the way back. What the gate and tools are handed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .exceptions import Refused, Unauthenticated
from .principal import Principal
from .state import Ticket

if TYPE_CHECKING:
    from .models import Session
    from .transport.exchange import Exchange


@dataclass(slots=True, eq=False)
class Call:
    principal: Principal
    session: "Session"
    headers: Mapping[str, str] | None
    """Of this very request, by lower-case name; None on a wire where only the connection had any."""
    exchange: "Exchange"
    ticket: Ticket
    """What it was let in by, and counts as running by."""
    client_version: str
    """As this very request says, where it does: of two clients that share a session, each may have its own."""
    ip: str | None
    """Where this very request came from."""

    def check(self, now: Principal | None, told: str = "") -> None:
        """End it unless its caller may do all that he might when it began; `now` is who he is by now, and `told`
        what he is to know if he is nobody.

        What a call was let in for may be decided only later, when a person answered: authority is not remembered.
        """
        if now is None or not now.may_come_from(self.ip):
            self.exchange.cut(Unauthenticated("no longer valid", told=told))
        elif not self.principal.permissions <= now.permissions:
            self.exchange.cut(Refused("What you may do has changed meanwhile. Call again.", status=403))
