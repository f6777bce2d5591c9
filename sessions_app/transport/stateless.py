"""The 2026-07-28 revision over HTTP: each POST says all there is to know of its client."""

from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS

from sessions_app.exceptions import Refused

from .carrier import Carrier
from .ends import ends
from .envelope import read_client
from .exchange import Exchange
from .http_carrier import HttpCarrier
from .jsonrpc import NOT_ONE_MESSAGE, Message
from .kernel import HostedServer, answer
from .presence import session_of
from .request import Request
from .rules import LISTEN


def exchange_for(carrier: Carrier, message: Message) -> Exchange:
    token, level = message.progress_token, message.log_level
    return Exchange(carrier, message.request_id, progress_token=token, log_level=level)


async def serve(server: HostedServer, request: Request[HttpCarrier]) -> None:
    """Raises: Refused."""
    message = request.message
    if not isinstance(message, Message):
        raise Refused(NOT_ONE_MESSAGE)
    if message.id is None:
        # Nothing on this wire is for a notification to do: a client cancels by closing its stream.
        await request.carrier.respond(202, None)
        return
    client = read_client(message, request.headers)
    if message.method == LISTEN and not request.carrier.takes_notifications:
        raise Refused("A subscription is a stream: Accept must include text/event-stream.", status=406)
    exchange = exchange_for(request.carrier, message)
    session = await session_of(request, client)
    if message.method == LISTEN:
        ends.admit(request.principal)
    call = request.call(session, exchange, client.version)
    await answer(server, call, message, client.connection, ERROR_CODE_HTTP_STATUS)
