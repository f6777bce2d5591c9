"""MCP over WebSocket, through the public URL: whether the proxy passes the upgrade on, and a ping."""

import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.conf import settings
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from sessions_app.transport.guard import SUBPROTOCOL

from .asking import AGENT, INITIALIZE, INITIALIZED, PING, is_here
from .examination import PATIENCE, Case, examination
from .finding import Away, Finding, ok, problem, reason
from .visitor import NO_KEY, not_taken, visitor

UPGRADE = (
    'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
    "  (nginx, at /ws/)"
)
CLOSES = 1.0


@examination("WebSocket", needs=("public URL",), after=("database", "migrations"))
def websocket(case: Case) -> Iterator[Finding]:
    with visitor(case) as secret:
        try:
            with opened(secret) as connection:
                yield ok("upgrade", "A WebSocket opens at /ws/mcp.")
                yield pinged(connection)
        except InvalidStatus as refusal:
            yield refused(refusal.response, case, is_known=bool(secret))
        except (WebSocketException, OSError) as error:
            says = f"A WebSocket does not open at /ws/mcp: {words(error)}."
            raise Away(problem("upgrade", says, UPGRADE)) from None


def opened(secret: str) -> ClientConnection:
    url = "ws" + settings.CONFIG.origin.removeprefix("http") + "/ws/mcp"
    return connect(
        url,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        additional_headers={"Authorization": f"Bearer {secret}"} if secret else {},
        user_agent_header=AGENT,
        compression=None,
        proxy=None if is_here(url) else True,
        ssl=ssl.create_default_context() if url.startswith("wss") else None,
        open_timeout=PATIENCE,
        close_timeout=CLOSES,
    )


def words(error: Exception) -> str:
    """Of what is not HTTP at all, websockets says only where to look."""
    if isinstance(error, InvalidHandshake) and error.__cause__ is not None:
        return reason(error.__cause__)
    return f"no answer within {PATIENCE:g} s" if isinstance(error, TimeoutError) else reason(error)


def pinged(connection: ClientConnection) -> Finding:
    try:
        for message in (INITIALIZE, INITIALIZED, PING):
            connection.send(json.dumps(message))
            if "id" in message:
                answer: dict[str, Any] = json.loads(connection.recv(timeout=PATIENCE))
                if "result" not in answer:
                    says = f"{message['method']} is not answered as it should be over a WebSocket."
                    return problem("ping", says, "See the server's log")
    except (WebSocketException, OSError, ValueError) as error:
        says = f"A WebSocket opens, but what is said on it does not arrive: {words(error)}."
        return problem("ping", says, "proxy_read_timeout 75s;  (nginx, at /ws/), and no filter of messages")
    return ok("ping", "A client shakes hands over it, and is answered.")


def refused(response: Response, case: Case, *, is_known: bool) -> Finding:
    status = response.status_code
    if not is_ours(response):
        says = f"The handshake of a WebSocket does not come to Concierge: something before it answers {status}."
        return problem("upgrade", says, UPGRADE)
    if status == 426:
        return problem("upgrade", "The proxy does not pass the Upgrade header on at /ws/ (426).", UPGRADE)
    if status == 401 and is_known:
        return problem("upgrade", *not_taken(case, status))
    if status == 401:
        return ok("upgrade", f"The handshake comes to Concierge, which asks for a credential (401); {NO_KEY}.")
    says = f"The handshake of a WebSocket is refused by Concierge ({status})."
    return problem("upgrade", says, "Let the proxy leave Host, Origin and Sec-WebSocket-* alone, and see the log")


def is_ours(response: Response) -> bool:
    with suppress(ValueError, AttributeError):
        return bool(json.loads(response.body or b"").get("jsonrpc") == "2.0")
    return False
