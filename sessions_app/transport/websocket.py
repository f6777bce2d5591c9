"""MCP over WebSocket: one JSON-RPC message a text frame, both eras on one path.

    guard → authenticate → admit → (socket: admit → session → authorize → … → reply, for each message)

The specification has no such transport; the SDK's first version had one, and clients speak it. What a
socket may do is decided anew with each message, as over HTTP: that it is open proves nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from channels.consumer import AsyncConsumer
from django.db import Error as DatabaseFailure

from sessions_app.addresses import network_of, peer_address
from sessions_app.admission import admit
from sessions_app.callers import Presented
from sessions_app.credentials import CREDENTIAL_HEADERS, presented, ticket
from sessions_app.exceptions import Refused

from .guard import Guard
from .kernel import HostedServer
from .refusal import note, unavailable
from .response import Receive, Send, refuse
from .rules import Opening
from .socket import Socket
from .sockets import sockets

UPGRADE = Refused(
    "This path is for WebSockets (RFC 6455).",
    status=426,
    headers=[(b"upgrade", b"websocket"), (b"connection", b"upgrade")],
)


class McpWebSocketConsumer(AsyncConsumer):
    """Hosts an MCP server on a route. Reads the wire itself, as `McpHttpConsumer` does."""

    def __init__(self, *, server: HostedServer, guard: Guard) -> None:
        self.server = server
        self.guard = guard

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        if scope["type"] == "http":
            note(UPGRADE, scope)
            await refuse(send, UPGRADE)
            return
        await receive()  # websocket.connect
        try:
            headers = self.guard.check_socket(scope)
            address = peer_address(scope)
            network = network_of(address)
            caller = await who_presents(headers, scope["subprotocols"], address)
            admitted = await admit(caller, Opening(), None)
            # From here on what others at this address guess is not its affair, nor what it loses theirs.
            caller = caller._replace(network=f"{network} {admitted.principal.owner}")
            with sockets.place(admitted.principal, network):
                await Socket(self.server, caller, scope, headers, receive, send).serve()
        except Refused as refusal:
            note(refusal, scope)
            await refuse(denying(send), refusal)
        except DatabaseFailure as failure:
            await refuse(denying(send), unavailable(failure, "The database did not say who calls"))


async def who_presents(headers: Mapping[str, str], offered: Sequence[str], address: str | None) -> Presented:
    """A credential in a header; or a page's ticket, offered as a subprotocol because a page sets no headers.

    Never a cookie. Raises: Refused, Unauthenticated, RateLimited.
    """
    tickets = [name for name in offered if ticket.is_ticket(name)]
    if not tickets:
        return presented(headers, address)
    if len(tickets) > 1 or any(name in headers for name in CREDENTIAL_HEADERS):
        raise Refused("Send one credential, not two.")
    if "origin" not in headers:
        raise Refused("A ticket is for a page of this server, and a page has an Origin.", status=403)
    return await ticket.redeemed(tickets[0], address)


def denying(send: Send) -> Send:
    """Answers a handshake as HTTP answers (ASGI, WebSocket Denial Response)."""

    async def deny(message: Mapping[str, Any]) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return deny
