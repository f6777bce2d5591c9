"""MCP over HTTP, through the public URL: a handshake, a ping, a stream, and which address was seen."""

import time
from collections.abc import Iterator

import httpx2
from django.conf import settings

from sessions_app.transport.durable import SESSION_ID_HEADER
from sessions_app.transport.guard import EVENTS

from .addresses import CLAIMED, address, own_address
from .asking import HANDSHAKE_VERSION, INITIALIZE, INITIALIZED, PING, TO_MCP, client, document, failure, is_ours
from .examination import PATIENCE, Case, examination
from .finding import Away, Finding, ok, problem, skipped, warning
from .public_url import NO_SIGN_IN
from .visitor import NO_KEY, not_taken, visitor

PROMPT = 1.5
"""Seconds in which a stream's first bytes should be here."""
NO_BUFFERS = "proxy_buffering off;  (nginx, at /mcp; others: no response buffering)"


@examination("MCP over HTTP", needs=("public URL",), after=("database", "migrations"))
def mcp(case: Case) -> Iterator[Finding]:
    with visitor(case) as secret, client(settings.CONFIG.origin) as asking:
        if not secret:
            raise Away(skipped("handshake", f"Not tried: {NO_KEY}."))
        asking.headers |= {**TO_MCP, "authorization": f"Bearer {secret}"}
        try:
            yield from conversation(asking, case)
        except httpx2.TransportError as error:
            says = f"The connection broke: {failure(error)}."
            raise Away(problem("handshake", says, "See the log of the proxy, and that of the server")) from None


def conversation(asking: httpx2.Client, case: Case) -> Iterator[Finding]:
    with asking.stream("POST", "/mcp", json=INITIALIZE, headers={"x-forwarded-for": CLAIMED}) as opened:
        own = own_address(opened)
        opened.read()
    if opened.status_code == 401 and not is_ours(opened):
        raise Away(problem("handshake", "Something before Concierge asks for a sign-in (401).", NO_SIGN_IN))
    if opened.status_code == 401:
        raise Away(problem("handshake", *not_taken(case, opened.status_code)))
    session = opened.headers.get(SESSION_ID_HEADER)
    if session is None or "result" not in document(opened):
        says = f"The handshake fails: {opened.status_code} {said(opened)}".strip()
        mend = "See the server's log; a proxy has to pass the Mcp-* headers on, both ways"
        raise Away(problem("handshake", says, mend))
    asking.headers |= {SESSION_ID_HEADER: session, "mcp-protocol-version": HANDSHAKE_VERSION}
    asking.post("/mcp", json=INITIALIZED)
    pinged = asking.post("/mcp", json=PING)
    if "result" not in document(pinged):
        says = f"A session that was opened is not found again: {pinged.status_code} {said(pinged)}".strip()
        yield problem("ping", says, "Every server behind the URL needs the same DATABASE_URL and SECRET_KEY")
    else:
        yield ok("ping", "A client shakes hands, and is answered.")
    yield stream(asking)
    yield address(own, session, case)
    asking.delete("/mcp")


def said(response: httpx2.Response) -> str:
    error = document(response).get("error")
    return str(error.get("message", ""))[:200] if isinstance(error, dict) else ""


def stream(asking: httpx2.Client) -> Finding:
    """The server begins each with a line, so that one knows that it is there."""
    began = time.monotonic()
    try:
        with asking.stream("GET", "/mcp", headers={"accept": EVENTS}) as response:
            if response.status_code != 200:
                says = f"A stream is not opened ({response.status_code})."
                return problem("stream", says, "Let the proxy pass GET /mcp on")
            next(response.iter_raw(), b"")
    except httpx2.ReadTimeout:
        says = f"A stream's first bytes are not here after {PATIENCE:g} s: the proxy keeps them back."
        return problem("stream", says, NO_BUFFERS)
    seconds = time.monotonic() - began
    if seconds > PROMPT:
        return warning("stream", f"A stream's first bytes took {seconds:.1f} s.", NO_BUFFERS)
    return ok("stream", "A stream's first bytes arrive at once.")
