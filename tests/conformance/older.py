"""A client's request, as if it asked for an older revision in `initialize`.

The suite's own client always asks for the newest that it knows, so that a run for an older revision would
be one more run of that.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Receive = Callable[[], Awaitable[Any]]


async def asking_for(revision: str, scope: Mapping[str, Any], receive: Receive) -> tuple[dict[str, Any], Receive]:
    """The same request; if it is an `initialize`, one that asks for `revision`."""
    body = b""
    message: Mapping[str, Any] = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    body = rewritten(body, revision)
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]

    async def replay() -> Any:
        return parts.pop() if parts else await receive()

    return {**scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}, replay


def rewritten(body: bytes, revision: str) -> bytes:
    try:
        message = json.loads(body)
        if message["method"] != "initialize":
            return body
        message["params"]["protocolVersion"] = revision
    except (ValueError, LookupError, TypeError):
        return body  # what is no such message is for the server to refuse
    return json.dumps(message).encode()
