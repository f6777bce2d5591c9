"""MCP over HTTP, every revision on one path.

    guard → authenticate → session → (authorize → validate → execute → record) → reply

The part in brackets is the gate's, in `tools_app`. What a request means depends on its era: that of
2026-07-28 (`stateless.py`) or that of the handshake (`durable.py`).
"""

import logging
from collections.abc import Mapping
from typing import Any

from channels.consumer import AsyncConsumer
from django.db import Error as DatabaseFailure
from mcp_types import INTERNAL_ERROR

from sessions_app.credentials import authenticate
from sessions_app.exceptions import Refused, Unauthenticated

from . import durable, stateless, strict_json
from .envelope import is_stateless
from .guard import ClientLeft, Guard, read_body
from .jsonrpc import Message, Reply, error, parse
from .kernel import HostedServer
from .presence import peer_address
from .request import Request
from .response import Receive, Send, respond

logger = logging.getLogger(__name__)


class McpHttpConsumer(AsyncConsumer):
    """Hosts an MCP server on a route. Reads the wire itself: see docs/why.md."""

    def __init__(self, *, server: HostedServer, guard: Guard) -> None:
        self.server = server
        self.guard = guard

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        message: Message | Reply | None = None
        try:
            headers = self.guard.check(scope)
            if scope["method"] == "POST":
                message = parse(await read_body(headers, receive))
            principal = await authenticate(headers)
            request = Request(scope, receive, send, headers, principal, message)
            era = stateless if is_stateless(headers, message) else durable
            await era.serve(self.server, request)
        except ClientLeft:
            return
        except Refused as refusal:
            note(refusal, scope)
            await refuse(send, refusal, message)
        except DatabaseFailure:
            logger.exception("The database did not say who calls")
            await refuse(send, unavailable(), message)


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
        logger.warning("Refused a caller from %s: %s", peer_address(scope), refusal.reason)
    else:
        logger.info("Refused a request from %s: %s", peer_address(scope), refusal.message)
