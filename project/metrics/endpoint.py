"""Who may see what is measured: whoever has the token that the operator made for it, and nobody else.

It is no credential of anybody's, as those are in the database, and this is for when that is away.
"""

import hmac
from collections.abc import Mapping, Sequence

from sessions_app.exceptions import Header, Refused, Unauthenticated
from sessions_app.pool import metrics_pool
from sessions_app.transport.guard import Guard, not_allowed, read_headers
from sessions_app.transport.refusal import note
from sessions_app.transport.response import PRIVATE, Receive, Scope, Send

from .asked import Questions
from .exposition import Exposition

METHODS = ("GET", "HEAD")


class NotShown(Unauthenticated):
    """The same words to whoever sent no token, and to whoever sent another."""

    def __init__(self, *, is_bad: bool) -> None:
        super().__init__("not the token of /metrics", is_bad=is_bad)
        self.message = "Send the token that CONCIERGE_METRICS_TOKEN is set to: Authorization: Bearer <token>."
        self.headers = [(b"www-authenticate", b'Bearer realm="concierge"')]


class Metrics:
    """ASGI, outside of Django: its sessions and its database have no part in this."""

    def __init__(self, guard: Guard, token: str) -> None:
        self._guard = guard
        self._token = token.encode()
        self._questions = Questions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            shown = await self._show(scope)
        except Refused as refusal:
            note(refusal, scope)
            await answer(send, refusal.status, refusal.message.encode(), "text/plain", refusal.headers)
        else:
            await answer(send, 200, shown.body, shown.media_type)

    async def _show(self, scope: Scope) -> Exposition:
        """Raises: Refused (401, 405, or as the guard refuses)."""
        headers = read_headers(scope["headers"])
        if not self._is_shown_to(headers):
            self._guard.check_names(scope)
            raise NotShown(is_bad="authorization" in headers)
        # Prometheus asks each server by its own address, which may be no name of ours. Host is checked because of
        # pages that are led here under another; but no page has the token.
        if scope["method"] not in METHODS:
            raise not_allowed(METHODS)
        answers = await self._questions.answers()
        return await metrics_pool.run(lambda: Exposition.of(answers, headers.get("accept", "")))

    def _is_shown_to(self, headers: Mapping[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_token = hmac.compare_digest(token.strip().encode(), self._token)
        return is_token and scheme.lower() == "bearer"


async def answer(send: Send, status: int, body: bytes, media_type: str, headers: Sequence[Header] = ()) -> None:
    lines = [*PRIVATE, (b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
