"""MCP over HTTP, every revision on one path.

    guard → authenticate → admit → session → (authorize → validate → execute → record) → reply

The part in brackets is the gate's, in `tools_app`. What a request means depends on its era: that of
2026-07-28 (`stateless.py`) or that of the handshake (`durable.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from channels.consumer import AsyncConsumer
from django.db import Error as DatabaseFailure

from sessions_app.addresses import peer_address
from sessions_app.admission import admit
from sessions_app.callers import Presented
from sessions_app.credentials import presented
from sessions_app.exceptions import Refused
from sessions_app.state import state

from . import durable, stateless
from .envelope import is_stateless
from .guard import EVENTS, ClientLeft, Guard, accepts, read_body
from .http_carrier import HttpCarrier
from .jsonrpc import Message, Reply, parse
from .kernel import HostedServer
from .refusal import note, unavailable
from .request import Request
from .response import Receive, refuse
from .rules import Rules, operation_of

Present = Callable[[Mapping[str, str], str | None], Presented]
"""What a request with these headers, from that address, presents."""


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
            caller = self.present(headers, peer_address(scope))
            operation = operation_of(message, headers.get(durable.SESSION_ID_HEADER, ""))
            admitted = await admit(caller, Rules(self.server, message), operation)
            try:
                carrier = HttpCarrier(receive, send, accepts_stream=accepts(headers, EVENTS))
                request = Request(scope, carrier, headers, admitted, message)
                era = stateless if is_stateless(headers, message) else durable
                await era.serve(self.server, request)
            finally:
                state.finish(admitted.ticket)
        except ClientLeft:
            return
        except Refused as refusal:
            note(refusal, scope)
            await refuse(send, refusal, message)
        except DatabaseFailure as failure:
            # Of what is no request, a client's reply or the end of its session may have been written.
            writes = not isinstance(message, Message)
            await refuse(send, unavailable(failure, "The database did not say who calls", writes=writes), message)
