"""What a proxy must pass on, and what it must not change: Origin, Host, large bodies."""

from collections.abc import Iterator

import httpx2
from django.conf import settings

from sessions_app.transport.guard import LARGEST_BODY

from .asking import PING, TO_MCP, client, failure, is_ours
from .examination import Case, examination
from .finding import Finding, ok, problem, warning
from .public_url import PASS_HOST

NOWHERE = "doctor.invalid"
"""A name that nobody has (RFC 6761, section 6.4)."""


@examination("proxy", needs=("public URL",))
def proxy(case: Case) -> Iterator[Finding]:
    """All without a credential, so the answer to what passes is 401."""
    origin = settings.CONFIG.origin
    with client(origin) as asking:
        for look in (own_origin, foreign_origin, foreign_host, large_body):
            try:
                yield look(asking)
            except httpx2.TransportError as error:
                name = look.__name__.replace("_", " ")
                says = f"The connection broke while the {name} was tried: {failure(error)}."
                yield problem(name, says, "See the log of the proxy, and that of the server")


def asked(asking: httpx2.Client, **headers: str) -> httpx2.Response:
    return asking.post("/mcp", json=PING, headers={**TO_MCP, **headers})


def own_origin(asking: httpx2.Client) -> Finding:
    origin = settings.CONFIG.origin
    status = asked(asking, origin=origin).status_code
    if status == 403:
        says = f"Pages of {origin} itself are refused (403): the proxy changes their Origin."
        return problem("own origin", says, "Let the proxy leave the Origin header alone")
    return ok("own origin", "Pages of our own are let through.")


def foreign_origin(asking: httpx2.Client) -> Finding:
    status = asked(asking, origin=f"https://{NOWHERE}").status_code
    if status == 403:
        return ok("foreign origin", "Pages of other sites are refused.")
    says = f"Pages of other sites are not refused (they get {status}): the proxy drops or changes their Origin."
    return problem("foreign origin", says, "Let the proxy pass the Origin header on unchanged")


def foreign_host(asking: httpx2.Client) -> Finding:
    response = asked(asking, host=NOWHERE)
    if response.status_code == 401 and is_ours(response):
        says = "The proxy puts a Host of its own in the place of the client's, so that no other name is refused."
        return warning("foreign host", says, PASS_HOST)
    return ok("foreign host", "Who comes by another name is refused.")


def large_body(asking: httpx2.Client) -> Finding:
    """Just what Concierge takes."""
    head, tail = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"pad":"', b'"}}'
    body = head + b"x" * (LARGEST_BODY - len(head) - len(tail)) + tail
    response = asking.post("/mcp", content=body, headers=TO_MCP)
    if response.status_code == 401 and is_ours(response):
        return ok("body", f"Bodies of {LARGEST_BODY} bytes, which is all that Concierge takes, come through.")
    says = f"Bodies of {LARGEST_BODY} bytes, which Concierge takes, do not come through ({response.status_code})."
    return problem("body", says, "client_max_body_size 2m;  (nginx)")
