"""MCP over HTTP, revision 2026-07-28: one POST, one answer.

    guard → authenticate → session → (authorize → validate → execute → record) → reply

The part in brackets is the gate's, in `tools_app`.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from channels.consumer import AsyncConsumer
from django.db import Error as DatabaseFailure
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp_types import INTERNAL_ERROR, ErrorData

from sessions_app.call import Call
from sessions_app.credentials import authenticate
from sessions_app.exceptions import Refused, Unauthenticated

from . import strict_json
from .envelope import Client, read_client
from .exchange import Exchange, Receive, Send, respond
from .guard import ClientLeft, Guard, accepts, read_body
from .jsonrpc import Message, error, parse
from .kernel import HostedServer, result_of
from .presence import is_live, peer_address, session_of

logger = logging.getLogger(__name__)

LISTEN = "subscriptions/listen"
STREAM_IS_RECHECKED_EVERY = 0.5  # seconds


class McpHttpConsumer(AsyncConsumer):
    """Hosts an MCP server on a route. Reads the wire itself: see docs/why.md."""

    def __init__(self, *, server: HostedServer, guard: Guard) -> None:
        self.server = server
        self.guard = guard

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        message: Message | None = None
        try:
            headers = self.guard.check(scope)
            message = parse(await read_body(headers, receive))
            principal = await authenticate(headers)
            if message.id is None:
                # Nothing on this wire is for a notification to do: a client cancels by closing its stream.
                await respond(send, 202, None)
                return
            client = read_client(message, headers)
            exchange = open_exchange(message, headers, receive, send)
            session = await session_of(principal, client, headers, scope)
        except ClientLeft:
            return
        except Refused as refusal:
            note(refusal, scope)
            await refuse(send, refusal, message)
            return
        except DatabaseFailure:
            logger.exception("The database did not say who calls")
            await refuse(send, unavailable(), message)
            return
        call = Call(principal, session, headers, exchange)
        if message.method == LISTEN:
            exchange.accompany(self.recheck(call, message))
        await exchange.serve(self.answer(call, client, message))

    async def recheck(self, call: Call, message: Message) -> None:
        """An open stream is authority that lasts: end it when its credential, session or permissions end."""
        try:
            while True:
                if not await self.goes_on(call, message):
                    break
                await asyncio.sleep(STREAM_IS_RECHECKED_EVERY)
        except Refused as refusal:
            logger.info("Ended a stream of %s: %s", call.principal.username, refusal.message)
        except Exception:  # a stream that nobody checks must not go on
            logger.exception("An open stream could not be checked, and was ended")
        call.exchange.cut()

    async def goes_on(self, call: Call, message: Message) -> bool:
        """Raises: Refused."""
        try:
            principal = await authenticate(call.headers)
            is_open = await is_live(call.session)
        except DatabaseFailure:
            logger.warning("The database did not say whether an open stream may go on")
            return True
        return is_open and self.server.still_allows(call, principal, message.params or {})

    async def answer(self, call: Call, client: Client, message: Message) -> None:
        try:
            result = await result_of(self.server, call, client, message)
            reply = strict_json.dumps({"jsonrpc": "2.0", "id": message.id, "result": result}), 200
        except Exception as exception:  # noqa: BLE001 (the edge: whatever a handler raises becomes a JSON-RPC error)
            reply = failure(exception, message)
        await call.exchange.reply(*reply)


def open_exchange(message: Message, headers: Mapping[str, str], receive: Receive, send: Send) -> Exchange:
    accepts_stream = accepts(headers, "text/event-stream")
    if message.method == LISTEN and not accepts_stream:
        raise Refused("A subscription is a stream: Accept must include text/event-stream.", status=406)
    meta = (message.params or {}).get("_meta") or {}
    return Exchange(
        receive,
        send,
        message.id or 0,
        progress_token=meta.get("progressToken"),
        accepts_stream=accepts_stream,
    )


def failure(exception: Exception, message: Message) -> tuple[bytes, int]:
    """The JSON-RPC error for what a handler raised, and its HTTP status. Crash text stays in the log."""
    data = handler_exception_to_error_data(exception)
    try:
        if data is not None:
            return encoded(data, message), ERROR_CODE_HTTP_STATUS.get(data.code, 200)
    except (TypeError, ValueError) as unencodable:
        exception = unencodable
    logger.error("%s crashed", message.method, exc_info=exception)
    return encoded(ErrorData(code=INTERNAL_ERROR, message="Internal server error"), message), 200


def encoded(data: ErrorData, message: Message) -> bytes:
    body = error(data.code, data.message, data.data)
    return strict_json.dumps({"jsonrpc": "2.0", "id": message.id, "error": body})


async def refuse(send: Send, refusal: Refused, message: Message | None) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": message.id if message else None,
        "error": error(refusal.code, refusal.message, refusal.data),
    }
    await respond(send, refusal.status, strict_json.dumps(body), list(refusal.headers))


def unavailable() -> Refused:
    return Refused(
        "The database is not available.", status=503, code=INTERNAL_ERROR, headers=[(b"retry-after", b"1")]
    )


def note(refusal: Refused, scope: Mapping[str, Any]) -> None:
    if isinstance(refusal, Unauthenticated):
        logger.warning("Refused a caller from %s: %s", peer_address(scope), refusal.reason)
    else:
        logger.info("Refused a request from %s: %s", peer_address(scope), refusal.message)
