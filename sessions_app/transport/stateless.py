"""The 2026-07-28 revision over HTTP: each POST says all there is to know of its client."""

from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS

from sessions_app.exceptions import Refused

from .ends import ends
from .envelope import read_client
from .exchange import Exchange
from .guard import accepts
from .jsonrpc import NOT_ONE_MESSAGE, Message
from .kernel import HostedServer, answer
from .presence import session_of
from .request import Request
from .response import respond

LISTEN = "subscriptions/listen"


async def serve(server: HostedServer, request: Request) -> None:
    """Raises: Refused."""
    message = request.message
    if not isinstance(message, Message):
        raise Refused(NOT_ONE_MESSAGE)
    if message.id is None:
        # Nothing on this wire is for a notification to do: a client cancels by closing its stream.
        await respond(request.send, 202, None)
        return
    client = read_client(message, request.headers)
    exchange = open_exchange(request, message)
    session = await session_of(request, client)
    call = request.call(session, exchange, client.version)
    if message.method == LISTEN:
        ends.admit(call)
    await answer(server, call, message, client.connection, ERROR_CODE_HTTP_STATUS)


def open_exchange(request: Request, message: Message) -> Exchange:
    accepts_stream = accepts(request.headers, "text/event-stream")
    if message.method == LISTEN and not accepts_stream:
        raise Refused("A subscription is a stream: Accept must include text/event-stream.", status=406)
    return Exchange(
        request.receive,
        request.send,
        message.request_id,
        progress_token=message.progress_token,
        accepts_stream=accepts_stream,
    )
