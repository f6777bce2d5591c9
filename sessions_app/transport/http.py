"""MCP over HTTP, every revision on one path.

    guard → authenticate → admit → session → (authorize → validate → execute → record) → reply

The part in brackets is the gate's, in `tools_app`. What a request means depends on its era: that of
2026-07-28 (`stateless.py`) or that of the handshake (`durable.py`).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from channels.consumer import AsyncConsumer
from django.db import Error as DatabaseFailure
from mcp_types import INTERNAL_ERROR

from sessions_app.addresses import network_of, peer_address
from sessions_app.admission import admit, new_operation
from sessions_app.callers import Presented
from sessions_app.credentials import presented
from sessions_app.exceptions import RateLimited, Refused, Unauthenticated
from sessions_app.limits import GUEST_MESSAGES, MESSAGES, Bucket
from sessions_app.principal import Principal
from sessions_app.sign_in_log import note_refused
from sessions_app.state import Epoch, Operation, state

from . import durable, stateless, strict_json
from .envelope import fitting, is_stateless
from .guard import ClientLeft, Guard, read_body
from .jsonrpc import Message, Reply, error, parse
from .kernel import HostedServer
from .request import Request
from .response import Receive, Send, respond

logger = logging.getLogger(__name__)

Present = Callable[[Mapping[str, str], str], Presented]
"""What a request with these headers, from that network, presents."""

LONGEST_NOTED = 100
"""Characters of what is noted of a request that runs."""


class McpHttpConsumer(AsyncConsumer):
    """Hosts an MCP server on a route. Reads the wire itself: see docs/why.md."""

    def __init__(self, *, server: HostedServer, guard: Guard, present: Present = presented) -> None:
        self.server = server
        self.guard = guard
        self.present = present

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        message: Message | Reply | None = None
        try:
            headers = self.guard.check(scope)
            if scope["method"] == "POST":
                message = parse(await read_body(headers, receive))
            caller = self.present(headers, network_of(peer_address(scope)))
            admitted = await admit(caller, Rules(self.server, message), operation_of(headers, message))
            try:
                request = Request(scope, receive, send, headers, admitted, message)
                era = stateless if is_stateless(headers, message) else durable
                await era.serve(self.server, request)
            finally:
                state.finish(admitted.ticket)
        except ClientLeft:
            return
        except Refused as refusal:
            note(refusal, scope)
            await refuse(send, refusal, message)
        except DatabaseFailure:
            logger.exception("The database did not say who calls")
            await refuse(send, unavailable(), message)


class Rules(NamedTuple):
    """What counts one request."""

    server: HostedServer
    message: Message | Reply | None

    def buckets(self, principal: Principal) -> Sequence[Bucket]:
        """What is no request has a limit of its own: who may ask no more may still answer, cancel and leave."""
        message = self.message
        if not isinstance(message, Message) or message.id is None:
            return (Bucket(GUEST_MESSAGES if principal.account is None else MESSAGES, principal.owner),)
        return (*principal.buckets, *self.server.limits(principal, message))

    async def refresh(self, epoch: Epoch) -> bool:
        return await self.server.refresh(epoch)


def operation_of(headers: Mapping[str, str], message: Message | Reply | None) -> Operation | None:
    """A request that takes time. What only listens has limits of its own (`ends.py`)."""
    if not isinstance(message, Message) or message.id is None or message.method == stateless.LISTEN:
        return None
    name = (message.params or {}).get("name") if message.method == "tools/call" else None
    session = headers.get(durable.SESSION_ID_HEADER, "")
    return new_operation(noted(name if isinstance(name, str) else message.method), noted(session))


def noted(text: str) -> str:
    """What a client sent, fit to be kept for a moment and shown."""
    return text if len(text) <= LONGEST_NOTED and text.isprintable() else fitting(text, LONGEST_NOTED)


async def refuse(send: Send, refusal: Refused, message: Message | Reply | None) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": message.id if isinstance(message, Message) else None,
        "error": error(refusal.code, refusal.message, refusal.data),
    }
    await respond(send, refusal.status, strict_json.dumps(body), list(refusal.headers))


def unavailable() -> Refused:
    return Refused(
        "The database is not available.", status=503, code=INTERNAL_ERROR, headers=[(b"retry-after", b"1")]
    )


def note(refusal: Refused, scope: Mapping[str, Any]) -> None:
    if isinstance(refusal, Unauthenticated):
        note_refused(refusal, peer_address(scope), (name.decode("latin-1") for name, _ in scope["headers"]))
    elif isinstance(refusal, RateLimited):
        limit = refusal.bucket.limit
        used_up = (limit.name, limit.rate, refusal.bucket.owner)
        logger.warning("Refused a request from %s: limit %s (%s) of %s is used up", peer_address(scope), *used_up)
    else:
        logger.info("Refused a request from %s: %s", peer_address(scope), refusal.message)
