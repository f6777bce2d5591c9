"""The way in to pages: what is refused at `/mcp` for its size or its slowness is refused here, too.

Django would take a body of any length to a file, and wait for it for ever.
"""

from typing import Any

from sessions_app.api.edge import replayed, with_length
from sessions_app.exceptions import Refused
from sessions_app.transport.guard import ClientLeft, read_body, read_headers
from sessions_app.transport.refusal import note
from sessions_app.transport.response import Receive, Send


class PageEdge:
    """Lets through to `app` what comes whole, and says what either refuses."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(read_headers(scope["headers"]), receive)
            await self._app(with_length(scope, len(body)), replayed(body, receive), send)
        except ClientLeft:
            return
        except Refused as refusal:
            note(refusal, scope)
            await refuse(send, refusal)


async def refuse(send: Send, refusal: Refused) -> None:
    body = f"{refusal.message}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *refusal.headers,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
