"""The 2025 revisions over HTTP: sessions that begin with a handshake, and live in the database.

All that a request needs of what came before it is in rows. So whichever process it reaches serves it, and
a process that is killed takes nothing with it but the calls that it was running.
"""

import secrets
from collections.abc import Mapping
from functools import partial

from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ServerEvent, ToolsListChanged

from sessions_app.exceptions import Refused, SessionNotFound
from sessions_app.models import ServerRequest, Session
from sessions_app.pool import background_pool, identity_pool

from . import handshake
from .bus import bus
from .conversation import Conversation
from .ends import ends
from .envelope import check_version
from .events import ReplyArrived, RequestCancelled
from .exchange import Exchange
from .http_carrier import HttpCarrier
from .jsonrpc import Message, Reply, request_digest
from .kernel import HostedServer, answer
from .listener import Listener
from .presence import session_by_id
from .request import Request
from .response import event_of

SESSION_ID_HEADER = "mcp-session-id"
ALL_200: Mapping[int, int] = {}
RECONNECT_AFTER = b"retry: 1000\r\n\r\n"
"""Milliseconds. What clients were not told they learn by listing and reading: no event is ever replayed."""
LISTS: frozenset[ServerEvent] = frozenset({ToolsListChanged(), PromptsListChanged(), ResourcesListChanged()})


async def serve(server: HostedServer, request: Request[HttpCarrier]) -> None:
    """Raises: Refused."""
    message = request.message
    if isinstance(message, Message) and message.method == "initialize" and message.id is not None:
        await handshake.serve(server, request, message)
        return
    session = await session_of(request)
    check_version(request.headers, session.protocol_version)
    if message is None:
        await (listen if request.scope["method"] == "GET" else end)(server, request, session)
    elif isinstance(message, Reply):
        await take_reply(request, session, message)
    elif message.id is None:
        await take_notification(request, session, message)
    else:
        await call(server, request, session, message)


async def session_of(request: Request[HttpCarrier]) -> Session:
    """Raises: Refused (400), SessionNotFound."""
    public_id = request.headers.get(SESSION_ID_HEADER)
    if public_id is None:
        raise Refused("Mcp-Session-Id is missing; the answer to `initialize` has it.")
    return await session_by_id(public_id, request)


async def call(server: HostedServer, request: Request[HttpCarrier], session: Session, message: Message) -> None:
    token = message.progress_token
    exchange = Conversation(request.carrier, message.request_id, progress_token=token, session=session)
    current = request.call(session, exchange)
    connect = partial(handshake.restore, session, exchange)
    await answer(server, current, message, connect, ALL_200)


async def take_notification(request: Request[HttpCarrier], session: Session, message: Message) -> None:
    if message.method == "notifications/cancelled":
        bus.publish(RequestCancelled(session.pk, request_digest(message.cancelled_id)))
    await request.carrier.respond(202, None)


async def take_reply(request: Request[HttpCarrier], session: Session, reply: Reply) -> None:
    await commit_reply(session, reply)
    await request.carrier.respond(202, None)


async def commit_reply(session: Session, reply: Reply) -> None:
    """Committed first; then the call that waits is woken, wherever it waits. Raises: Refused."""
    known = ServerRequest.objects.filter(session=session, request_id=reply.id)
    asked = None
    if await identity_pool.run(known.exists):  # what is invented costs no write, and nobody waits behind it
        asked = await background_pool.run(lambda: ServerRequest.objects.reply(session, reply.id, reply.body))
    if asked is None:
        raise Refused("No request of that id waits for a reply.")
    bus.publish(ReplyArrived(asked.pk))


async def end(server: HostedServer, request: Request[HttpCarrier], session: Session) -> None:
    """DELETE: the client is done. Its streams and calls in flight end, in every process."""
    if not await background_pool.run(lambda: session.end("by the client")):
        raise SessionNotFound
    await request.carrier.respond(204, None)


async def listen(server: HostedServer, request: Request[HttpCarrier], session: Session) -> None:
    """GET: the stream for what no request asked for. The newest one of a session wins."""
    # Its name is its request's id, too: none that the client could cancel by chance.
    stream = secrets.token_hex(8)
    exchange = Exchange(request.carrier, stream)
    current = request.call(session, exchange)
    listener = Listener(server, current, LISTS, frozenset())
    with ends.call(current), ends.listener(listener):
        if not await background_pool.run(lambda: session.hold_stream(stream)):
            raise SessionNotFound
        listener.stream = stream  # from here on, another name in the row is a newer one
        listener.is_of_session = True
        await exchange.serve(stream_to(request.carrier, exchange, listener))


async def stream_to(carrier: HttpCarrier, exchange: Exchange, listener: Listener) -> None:
    await exchange.deliver(carrier.begin(RECONNECT_AFTER))
    await tell(exchange, listener)
    await exchange.finish()


async def tell(exchange: Exchange, listener: Listener) -> None:
    """Pass on what it hears."""
    async for event in listener.events():
        await exchange.notify(*event_of(event))
