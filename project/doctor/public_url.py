"""The URL that people use: whether it leads here, by its own name, and whether the proxy says the time."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from .asking import BEFORE_US, PING, TO_MCP, client, document, failure, is_ours
from .certificate import certificate, unreachable
from .clock import compared
from .examination import Case, examination
from .finding import Away, Finding, ok, problem, skipped, warning
from .server import local_url
from .shell import SERVE

NO_SIGN_IN = "Let the proxy pass /mcp on as it is, without a sign-in of its own"
PASS_HOST = "proxy_set_header Host $http_host;  (nginx; others: pass the Host header on unchanged)"


@examination("public URL", after=("server",))
def public_url(case: Case) -> Iterator[Finding]:
    origin = settings.CONFIG.origin
    if not settings.CONFIG.public_url:
        if not case.has("server"):
            raise Away(skipped("reach", "Not asked: CONCIERGE_PUBLIC_URL is not set, and no server runs here."))
        yield skipped("public url", f"CONCIERGE_PUBLIC_URL is not set, so {origin} is asked directly.")
    if settings.CONFIG.is_https:
        yield certificate(origin)
    with client(origin) as asking:
        try:
            yield from leads_here(asking, case)
        except httpx2.TransportError as error:
            raise unreachable(origin, failure(error)) from None


def leads_here(asking: httpx2.Client, case: Case) -> Iterator[Finding]:
    origin = settings.CONFIG.origin
    before = time.time()
    response = asking.get("/livez")
    middle = (before + time.time()) / 2
    check_answer(response, case)
    yield ok("reach", f"{origin} leads to Concierge.")
    yield host(asking.post("/mcp", json=PING, headers=TO_MCP))
    yield clock(response, middle)


def check_answer(response: httpx2.Response, case: Case) -> None:
    """Raises: Away, if it is not our sign of life."""
    status, origin = response.status_code, settings.CONFIG.origin
    if document(response).get("status") == "alive":
        return
    if status in BEFORE_US and not case.has("server"):
        raise Away(problem("reach", f"The proxy at {origin} finds no server behind it ({status}).", SERVE))
    if status in BEFORE_US:
        says = f"The proxy at {origin} does not reach the server ({status}), though that is alive."
        mend = f"proxy_pass http://{settings.CONFIG.host}:{settings.CONFIG.port};  (nginx)"
        raise Away(problem("reach", says, mend))
    if status in (400, 421) and case.has("server") and not is_served_here():
        says = f"The server does not serve {origin} ({status}): its CONCIERGE_PUBLIC_URL is not this command's."
        raise Away(problem("host", says, "The same CONCIERGE_PUBLIC_URL for both; then restart the server"))
    if status in (400, 421):
        raise Away(problem("host", f"The proxy passes another Host on, which is refused ({status}).", PASS_HOST))
    if response.is_redirect:
        target = str(httpx2.URL(response.headers.get("location", "")).copy_with(query=None))[:200]
        says = f"{origin} sends everybody on to {target}, and MCP clients do not follow."
        raise Away(
            problem("reach", says, "CONCIERGE_PUBLIC_URL to where it ends, such as https:// instead of http://")
        )
    says = f"What answers at {origin} is not Concierge: /livez there is {status}."
    raise Away(problem("reach", says, "Let the proxy pass every path on, or mend CONCIERGE_PUBLIC_URL"))


def is_served_here() -> bool:
    """Whether the server on this machine, asked past the proxy, takes the Host that people use."""
    with client(local_url()) as asking:
        try:
            name = urlsplit(settings.CONFIG.origin).netloc
            return document(asking.get("/livez", headers={"host": name})).get("status") == "alive"
        except httpx2.TransportError:
            return True  # not known, so it is not said


def host(response: httpx2.Response) -> Finding:
    """Without a credential. 401 is what comes when the Host was right."""
    if response.status_code == 421:
        return problem("host", "The proxy passes another Host on, which is refused at /mcp (421).", PASS_HOST)
    if response.status_code == 401 and is_ours(response):
        return ok("host", "Its Host is accepted at /mcp, and who shows no credential is not let in (401).")
    says = f"Who shows no credential at /mcp is answered by something before Concierge ({response.status_code})."
    return problem("mcp", says, NO_SIGN_IN)


def clock(response: httpx2.Response, ours: float) -> Finding:
    said = response.headers.get("date")
    if said is None:
        mend = "Let the proxy pass the Date header on"
        return warning("clock", "It does not say what time it is.", mend)
    try:
        theirs = parsedate_to_datetime(said).timestamp()
    except ValueError:
        return warning("clock", "It says the time in a way that nobody reads.", "Let the proxy leave Date alone")
    return compared("the public URL", theirs + 0.5, ours)  # it is cut to the second
