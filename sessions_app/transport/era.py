"""Which era a connection is of. The client's first request decides; a request of the other is refused.

As the SDK's `serve_dual_era_loop`: with the envelope of 2026-07-28 in `params._meta` it is that one, and else
that of the handshake. `initialize` is of the latter, whatever envelope it comes in.
"""

from collections.abc import Callable
from functools import partial

from mcp.server.connection import Connection
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from sessions_app.call import Call
from sessions_app.exceptions import Refused
from sessions_app.models import Session

from . import stateless
from .conversation import Conversation
from .envelope import has_envelope, read_client
from .exchange import Exchange
from .handshake import restore
from .jsonrpc import Message
from .request import Request
from .socket_carrier import SocketCarrier


class Era:
    def __init__(self) -> None:
        self._is_stateless: bool | None = None

    @property
    def is_stateless(self) -> bool:
        return bool(self._is_stateless)

    def check(self, message: Message) -> None:
        """Raises: Refused (-32022, -32600) for a request of the other era."""
        is_enveloped = message.method != "initialize" and has_envelope(message)
        if self._is_stateless is None:
            self._is_stateless = is_enveloped
        elif self._is_stateless and message.method == "initialize":
            raise unsupported((message.params or {}).get("protocolVersion"))
        elif is_enveloped and not self._is_stateless:
            raise Refused("This connection is of the handshake era; the envelope of 2026-07-28 is not accepted.")


def unsupported(requested: object) -> Refused:
    supported: dict[str, object] = {"supported": list(MODERN_PROTOCOL_VERSIONS)}
    return Refused(
        "This connection speaks 2026-07-28; the initialize handshake is not accepted.",
        code=UNSUPPORTED_PROTOCOL_VERSION,
        data={**supported, "requested": requested} if isinstance(requested, str) else supported,
    )


def exchange_for(session: Session, carrier: SocketCarrier, message: Message) -> Exchange:
    """Only in the handshake era may a server ask its client back."""
    if session.is_durable:
        token = message.progress_token
        return Conversation(carrier, message.request_id, progress_token=token, session=session)
    return stateless.exchange_for(carrier, message)


def ready(
    request: Request[SocketCarrier], session: Session, exchange: Exchange, message: Message
) -> tuple[Call, Callable[[], Connection]]:
    """What the kernel serves a request by. Raises: Refused for a malformed envelope."""
    if isinstance(exchange, Conversation):
        exchange.session = session  # as it is now
        return request.call(session, exchange), partial(restore, session, exchange)
    client = read_client(message, None)
    return request.call(session, exchange, client.version), client.connection
