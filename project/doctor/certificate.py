"""The certificate of the public URL: whether browsers and clients take it, and for how long."""

import socket
import ssl
import time
from urllib.parse import urlsplit

from .examination import PATIENCE
from .finding import Away, Finding, ok, problem, reason, warning

DAY = 86_400
SOON = 14
"""Days. Those who renew by themselves do so a month before."""
RENEW = "certbot renew, or whatever renews it; then reload the proxy"
CHAIN = "The whole chain in the proxy (fullchain.pem); for an authority of your own, SSL_CERT_FILE=its certificate"
EXPIRED, OTHER_NAME = 10, 62
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED and X509_V_ERR_HOSTNAME_MISMATCH."""
UNKNOWN_NAME = "UNRECOGNIZED_NAME"
"""In what OpenSSL says of the alert by which a proxy refuses a name that is not its own (RFC 6066, section 3)."""


def certificate(url: str) -> Finding:
    """Raises: Away, if nobody would connect."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            given = encrypted.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        says = f"Its certificate is not valid: {error.verify_message}."
        raise Away(problem("certificate", says, mend_of(error.verify_code, host))) from None
    except ssl.SSLError as error:
        if UNKNOWN_NAME in (error.reason or ""):
            says = f"The proxy there does not know the name {host}, and refuses its TLS."
            raise Away(problem("certificate", says, f"server_name {host};  (nginx)")) from None
        says = f"It does not speak TLS: {error.reason or reason(error)}."
        raise Away(problem("certificate", says, "Let the proxy listen with a certificate at that port")) from None
    except OSError as error:
        raise unreachable(url, reason(error)) from None
    days = int((ssl.cert_time_to_seconds(str(given["notAfter"])) - time.time()) // DAY)
    if days < SOON:
        return warning("certificate", f"Its certificate ends in {days} days.", RENEW)
    return ok("certificate", f"Its certificate is valid for {days} more days.")


def mend_of(code: int, host: str) -> str:
    """By what OpenSSL finds wrong with the certificate: its `verify_code`."""
    if code == OTHER_NAME:
        return f"A certificate for {host}, or the name that it is for in CONCIERGE_PUBLIC_URL"
    return RENEW if code == EXPIRED else CHAIN


def unreachable(url: str, why: str) -> Away:
    mend = "Mend CONCIERGE_PUBLIC_URL or its DNS, start the proxy, or let this machine reach it"
    return Away(problem("reach", f"{url} cannot be reached: {why}.", mend))
