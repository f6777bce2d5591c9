"""Which address the server takes a caller for. It tells nobody; but the row of a session has it."""

from ipaddress import IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from project.config import LOOPBACK_HOSTS
from sessions_app.addresses import plain_address, unmapped
from sessions_app.models import Session

from .examination import Case
from .finding import Finding, ok, problem, skipped, warning

CLAIMED = "203.0.113.77"
"""What we say in X-Forwarded-For. It is nobody's (RFC 5737)."""
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1"))
REPLACE = "proxy_set_header X-Forwarded-For $remote_addr;  (nginx; others: the client's, and nothing else)"


def address(own: str | None, session: str, case: Case) -> Finding:
    """As far as can be told from here: of the way that this machine takes to the public URL."""
    if not (case.has("database") and case.has("migrations")):
        return skipped("addresses", "Not looked at: it needs the database.")
    seen = Session.objects.filter(public_id=session).values_list("ip", flat=True).first()
    if seen is None:
        return skipped("addresses", "Not known: the session is in another database than this command's.")
    if seen == CLAIMED:
        return claimed(own)
    if is_behind_a_proxy() and is_the_proxy_s(seen, own):
        says = f"Every caller looks like {seen}, the proxy: limits of addresses count all of them together."
        return warning("addresses", says, f"CONCIERGE_TRUSTED_PROXIES={seen}")
    return ok(
        "addresses", f"This machine is seen as {seen}, and what it claims in X-Forwarded-For does not count."
    )


def claimed(own: str | None) -> Finding:
    if own is not None and is_trusted(own):
        says = f"This machine ({own}) is a trusted proxy itself; whether it is believed of others is not known."
        return skipped("addresses", says, "Run the doctor on a machine that is none")
    says = "Who sends an X-Forwarded-For is taken for whoever he says, so limits of addresses are worth nothing."
    return problem("addresses", says, REPLACE)


def is_the_proxy_s(seen: str, own: str | None) -> bool:
    """Where the server listens on loopback, so does the proxy speak from there, and has to be believed."""
    trusted = settings.CONFIG.trusted_proxies
    if settings.CONFIG.host in LOOPBACK_HOSTS and ip_address(seen).is_loopback:
        return not any(
            each.version == home.version and each.overlaps(home) for each in trusted for home in LOOPBACK
        )
    return not trusted and seen != own_public(own)


def own_address(response: httpx2.Response) -> str | None:
    """Where we asked from; known before the body is read, after which the connection may be closed."""
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("client_addr") if stream is not None else None
    return plain_address(str(found[0])) if found else None


def own_public(own: str | None) -> str | None:
    """None on loopback, where the proxy and we have the same."""
    return None if own is None or ip_address(own).is_loopback else own


def is_trusted(address: str) -> bool:
    return any(unmapped(address) in network for network in settings.CONFIG.trusted_proxies)


def is_behind_a_proxy() -> bool:
    """Concierge speaks no TLS itself, and listens at one port."""
    parts = urlsplit(settings.CONFIG.origin)
    return settings.CONFIG.is_https or (parts.port or 80) != settings.CONFIG.port
