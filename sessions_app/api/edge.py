"""The way in to `/api/`: what is refused at `/mcp` before anything is looked up is refused here, too.

Django would take a body of any length to a file before anybody asks who sends it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from sessions_app import tokens
from sessions_app.exceptions import Header, Refused
from sessions_app.transport import strict_json
from sessions_app.transport.guard import ClientLeft, Guard, names_a_secret, read_body
from sessions_app.transport.refusal import note
from sessions_app.transport.response import Receive, Send

from .problem import MEDIA_TYPE, document

PRIVATE: list[Header] = [
    (b"cache-control", b"no-store"),
    (b"vary", b"Authorization, X-API-Key, X-Session-Token, Cookie, Origin, Accept"),
]
REPLACED = frozenset(name for name, _ in PRIVATE)


class ApiEdge:
    """Lets through to `app` what comes whole, to a name of ours, and from no other site.

    What either refuses, it says.
    """

    def __init__(self, app: Any, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        send = privately(send)
        try:
            headers = self._guard.check_names(scope)
            check_url(scope)
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise Refused("Content-Encoding is not accepted.", status=415)
            body = await read_body(headers, receive)
            await self._app(with_length(scope, len(body)), replayed(body, receive), send)
        except ClientLeft:
            return
        except Refused as refusal:
            note(refusal, scope)
            await refuse(send, refusal)


def check_url(scope: Mapping[str, Any]) -> None:
    """URLs end in logs and histories. Raises: Refused, and does not repeat what was sent."""
    url = f"{scope['path']}?{unquote_plus(scope['query_string'].decode('latin-1'))}"
    if names_a_secret(scope["query_string"]) or tokens.SHAPE.search(url):
        raise Refused("A credential in a URL ends up in logs: revoke it, and send its successor in a header.")


def with_length(scope: Mapping[str, Any], length: int) -> dict[str, Any]:
    """As if its length had been declared: what comes in chunks would be no body to those who only look there."""
    framing = (b"content-length", b"transfer-encoding")
    headers = [(name, value) for name, value in scope["headers"] if name not in framing]
    return {**scope, "headers": [*headers, (b"content-length", b"%d" % length)]}


def replayed(body: bytes, receive: Receive) -> Receive:
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return parts.pop() if parts else await receive()

    return receive_again


def privately(send: Send) -> Send:
    """Whatever answers, no cache keeps it."""

    async def send_private(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in REPLACED]
            message = {**message, "headers": [*kept, *PRIVATE]}
        await send(message)

    return send_private


async def refuse(send: Send, refusal: Refused) -> None:
    body = strict_json.dumps(document(refusal.status, refusal.message))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        *refusal.headers,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
