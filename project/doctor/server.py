"""The server on this machine, asked where it listens."""

from collections.abc import Iterator

import httpx2
from django.conf import settings

from .asking import client, document, failure
from .examination import Case, examination
from .finding import Away, Finding, ok, problem, warning
from .shell import SERVE

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (nothing listens there because of it)


def local_url() -> str:
    host = EVERYWHERE.get(settings.CONFIG.host, settings.CONFIG.host)
    return f"http://[{host}]:{settings.CONFIG.port}" if ":" in host else f"http://{host}:{settings.CONFIG.port}"


@examination("server")
def server(case: Case) -> Iterator[Finding]:
    url = local_url()
    with client(url) as asking:
        asking.headers["host"] = f"localhost:{settings.CONFIG.port}"  # a name that is served, whatever HOST is
        yield lives(asking, url)
        yield ready(asking, url)


def lives(asking: httpx2.Client, url: str) -> Finding:
    """Raises: Away."""
    try:
        response = asking.get("/livez")
    except httpx2.ConnectError:
        says = f"No server listens at {url} (HOST, PORT): it does not run, or not on this machine."
        raise Away(warning("livez", says, SERVE)) from None
    except httpx2.TransportError as error:
        says = f"Something listens at {url}, but gives no sign of life: {failure(error)}."
        raise Away(problem("livez", says, "kill -TERM its process, and see its log")) from None
    if document(response).get("status") != "alive":
        says = f"What listens at {url} is not Concierge: /livez answers {response.status_code}."
        raise Away(problem("livez", says, "PORT=8001, or another that is free (ss -ltnp shows who has which)"))
    return ok("livez", f"It is alive at {url}.")


def ready(asking: httpx2.Client, url: str) -> Finding:
    try:
        response = asking.get("/readyz")
    except httpx2.TransportError as error:
        says = f"It does not say whether it is ready: {failure(error)}."
        return problem("readyz", says, "See database and Redis above, and its log")
    if response.status_code == 200:
        return ok("readyz", "It is ready.")
    said = document(response)
    if said.get("draining"):
        return warning("readyz", "It is about to stop.", SERVE)
    failed = ", ".join(name for name, state in said.items() if state == "failed") or response.status_code
    return problem("readyz", f"It is not ready: {failed}.", "See that one above, and the server's log")
