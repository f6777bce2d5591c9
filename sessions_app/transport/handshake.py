"""`initialize`, and what it settled, put away in the session's row and taken out again."""

from functools import partial

import orjson
from mcp.server.connection import Connection
from mcp_types import INVALID_PARAMS

from sessions_app.exceptions import Refused
from sessions_app.models import Session
from sessions_app.pool import opening_pool

from . import strict_json
from .carrier import Carrier
from .conversation import Conversation, Standalone
from .envelope import NO_CHANNEL, Client, typed_client
from .exchange import Exchange
from .http_carrier import HttpCarrier
from .jsonrpc import Message
from .kernel import HostedServer, failure, run_kernel
from .presence import details_of
from .request import Request

LARGEST_DESCRIPTION = 16 * 1024
"""Bytes of JSON that a client may say of itself: each of its later requests reads them."""


async def serve(server: HostedServer, request: Request[HttpCarrier], message: Message) -> None:
    """Over HTTP the client is told by what id it continues the session."""
    body, session = await negotiate(server, request, message)
    headers = [(b"mcp-session-id", session.public_id.encode())] if session is not None else []
    await request.carrier.respond(200, body, headers)


async def negotiate[C: Carrier](
    server: HostedServer, request: Request[C], message: Message
) -> tuple[bytes, Session | None]:
    """The reply, and the session that is opened by it. It is committed before the client hears of it.

    Raises: Refused, TooManySessions.
    """
    exchange = Exchange(request.carrier, message.request_id)
    connection = Connection.for_loop(NO_CHANNEL)
    try:
        result = await run_kernel(server, exchange, message, connection, None)
    except Exception as exception:  # noqa: BLE001 (the edge, as for every other method)
        return failure(exception, message)[0], None
    session = await opening_pool.run(partial(open_session, request, message, connection.protocol_version))
    return strict_json.dumps({"jsonrpc": "2.0", "id": message.id, "result": result}), session


def open_session[C: Carrier](request: Request[C], message: Message, protocol_version: str) -> Session:
    """Raises: Refused, TooManySessions."""
    params = message.params or {}
    info, capabilities = orjson.dumps(params["clientInfo"]), orjson.dumps(params["capabilities"])
    if len(info) + len(capabilities) > LARGEST_DESCRIPTION:
        raise Refused("clientInfo and capabilities are too large.", code=INVALID_PARAMS)
    client = typed_client(protocol_version, info, capabilities)
    return Session.objects.open(
        request.principal,
        client_name=client.name,
        transport=request.carrier.transport,
        protocol_version=protocol_version,
        client_info=info.decode(),
        capabilities=capabilities.decode(),
        **details_of(client, request),
    )


def client_of(session: Session) -> Client:
    return typed_client(session.protocol_version, session.client_info.encode(), session.capabilities.encode())


def restore(session: Session, exchange: Conversation) -> Connection:
    """The SDK's connection as the handshake left it."""
    return client_of(session).connection(Standalone(exchange), session.public_id)
