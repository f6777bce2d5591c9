"""One request to the server, on whichever wire: guarded, parsed, and let in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sessions_app.addresses import peer_address
from sessions_app.admission import Admitted
from sessions_app.call import Call
from sessions_app.models import Session
from sessions_app.principal import Principal
from sessions_app.state import Epoch

from .carrier import Carrier
from .exchange import Exchange
from .jsonrpc import Message, Reply


@dataclass(slots=True, eq=False)
class Request[C: Carrier]:
    scope: Mapping[str, Any]
    carrier: C
    headers: Mapping[str, str]
    """By lower-case name; over a WebSocket those of its handshake."""
    admitted: Admitted
    message: Message | Reply | None
    """None for GET and DELETE."""

    @property
    def principal(self) -> Principal:
        return self.admitted.principal

    @property
    def epoch(self) -> Epoch:
        return self.admitted.epoch

    def call(self, session: Session, exchange: Exchange, client_version: str | None = None) -> Call:
        """`client_version` where this very request says so, and not only its session."""
        version = session.client_version if client_version is None else client_version
        headers = self.headers if self.carrier.has_headers else None
        ip = peer_address(self.scope)
        return Call(self.principal, session, headers, exchange, self.admitted.ticket, version, ip)
