"""Refuse early: what can be told from the request line, the headers and the size of the body.

Nothing here looks anything up. Host and Origin are checked on the consumer itself, because a
browser that was led to a rebound name reaches it before any other part of Concierge.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types import HEADER_MISMATCH
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from sessions_app.credentials import CREDENTIAL_HEADERS
from sessions_app.deadline import Deadline
from sessions_app.exceptions import Refused, WrongSite

Receive = Callable[[], Awaitable[Any]]

METHODS = ("POST", "GET", "DELETE")
SUBPROTOCOL = "mcp"
"""Of a WebSocket, as the SDK's first version named it."""
EVENTS = "text/event-stream"
MOST_HEADERS = 100
LARGEST_HEADER = 8 * 1024
LARGEST_HEADERS = 32 * 1024
LARGEST_BODY = 1024 * 1024
LARGEST_MESSAGE = 256 * 1024
"""Bytes of one WebSocket message."""

LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
SECRET_PARAMETERS = frozenset(
    {
        "token", "access_token", "refresh_token", "session_token", "api_key", "apikey", "api-key", "key", "jwt",
        "bearer", "authorization", "x-api-key", "x-session-token", "secret", "password",
    }
)  # fmt: skip
# Two readers of a repeated one would disagree: the first copy or the last?
SINGLE_HEADERS = frozenset(
    {"host", "origin", "content-type", "content-length", "content-encoding", *CREDENTIAL_HEADERS}
)


class ClientLeft(Exception):
    """The client closed the connection before its request was whole. Nobody is there to answer."""


class Guard:
    """What a request to the MCP endpoint must look like. Made once, from the URL that people use."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._hosts = names_of(origin)

    def check(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """The request's headers by lower-case name. Raises: Refused with the fitting status."""
        headers = self.check_names(scope)
        if scope["method"] not in METHODS:
            raise not_allowed(METHODS)
        if scope["query_string"]:
            raise query_refused(scope["query_string"])
        if scope["method"] == "POST":
            check_content(headers)
        elif headers.get(MCP_PROTOCOL_VERSION_HEADER) in MODERN_PROTOCOL_VERSIONS:
            raise not_allowed(("POST",))  # since 2026-07-28 a stream is the answer to a POST, and nobody deletes
        elif scope["method"] == "GET" and not accepts(headers, EVENTS):
            raise Refused("GET opens a stream: Accept must include text/event-stream.", status=406)
        return headers

    def check_socket(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """The same of a WebSocket's handshake (RFC 6455, section 4.1)."""
        headers = self.check_names(scope)
        if scope["query_string"]:
            raise query_refused(scope["query_string"])
        if SUBPROTOCOL not in scope["subprotocols"]:
            raise Refused(f"Offer the subprotocol {SUBPROTOCOL} (Sec-WebSocket-Protocol).")
        return headers

    def check_names(self, scope: Mapping[str, Any]) -> dict[str, str]:
        """The same of any request to this server: few headers, sent to a name of ours, and from no other site."""
        headers = read_headers(scope["headers"])
        self._check_host(headers.get("host", ""))
        if (origin := headers.get("origin")) is not None:
            self._check_origin(origin, headers["host"])
        return headers

    def _check_host(self, host: str) -> None:
        host = host.lower()
        if host not in self._hosts and LOOPBACK_HOST.fullmatch(host) is None:
            raise WrongSite("This server does not answer for that Host.", status=421)

    def _check_origin(self, origin: str, host: str) -> None:
        """The public URL's origin; or, on this machine, the very origin that the request came to."""
        if origin == self._origin:
            return
        if LOOPBACK_HOST.fullmatch(host.lower()) is None or origin != f"http://{host.lower()}":
            raise WrongSite("This Origin may not call the server.", status=403)


def query_refused(query: bytes) -> Refused:
    """A URL ends up in logs and histories, so it has no room for a credential. What was sent is not repeated."""
    if not names_a_secret(query):
        return Refused("The MCP endpoint takes no query string; send credentials in a header.")
    return Refused("A credential in a URL ends up in logs: revoke it, and send its successor in a header.")


def names_a_secret(query: bytes) -> bool:
    names = {name.lower() for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)}
    return not SECRET_PARAMETERS.isdisjoint(names)


def not_allowed(methods: tuple[str, ...]) -> Refused:
    names = ", ".join(methods)
    return Refused(f"Use {names}.", status=405, headers=[(b"allow", names.encode())])


def names_of(url: str) -> frozenset[str]:
    """What a client may put into Host for `url`: its host and port; a default port may be spelled out."""
    parts = urlsplit(url)
    if parts.port is not None:
        return frozenset({parts.netloc})
    return frozenset({parts.netloc, f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"})


def read_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    if len(raw) > MOST_HEADERS:
        raise Refused(f"More than {MOST_HEADERS} headers.", status=431)
    headers: dict[str, str] = {}
    total = 0
    for raw_name, raw_value in raw:
        size = len(raw_name) + len(raw_value)
        total += size
        if size > LARGEST_HEADER or total > LARGEST_HEADERS:
            raise Refused("The headers are too large.", status=431)
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1").strip(" \t")  # RFC 9110, section 5.5
        if name in headers:
            if name.startswith("mcp-"):
                raise Refused(f"The {name} header appears more than once.", code=HEADER_MISMATCH)
            if name in SINGLE_HEADERS:
                raise Refused(f"The {name} header appears more than once.")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def check_content(headers: Mapping[str, str]) -> None:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("Content-Type must be application/json.", status=415)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused("Content-Encoding is not accepted.", status=415)
    if not accepts(headers, "application/json"):
        raise Refused("Accept must include application/json and text/event-stream.", status=406)


def accepts(headers: Mapping[str, str], media_type: str) -> bool:
    """Whether the Accept header names `media_type`, or a range over it (RFC 9110, section 12.5.1)."""
    ranges = accepted_ranges(headers.get("accept", "*/*"))
    return not ranges.isdisjoint(("*/*", f"{media_type.partition('/')[0]}/*", media_type))


@lru_cache(maxsize=256)
def accepted_ranges(accept: str) -> frozenset[str]:
    """Clients send the same line with every request, so it is read once."""
    parts = (part.lower().replace(" ", "").split(";") for part in accept.split(","))
    return frozenset(media_range for media_range, *parameters in parts if "q=0" not in parameters)


async def read_body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body, counted while it arrives: a length that was declared is only a promise.

    Raises: Refused (413, 408), ClientLeft.
    """
    declared = headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()):
        raise Refused("Content-Length is not a number.")
    if len(declared) > 10 or int(declared) > LARGEST_BODY:
        raise body_too_large()
    try:
        async with Deadline(settings.SLOWEST_REQUEST):
            return await whole_body(receive)
    except TimeoutError:
        raise Refused(
            "The body did not arrive in time.", status=408, headers=[(b"connection", b"close")]
        ) from None


async def whole_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise body_too_large()
        if not message.get("more_body", False):
            return bytes(body)


def body_too_large() -> Refused:
    return Refused(
        f"The body is larger than {LARGEST_BODY} bytes.", status=413, headers=[(b"connection", b"close")]
    )
