"""Fetching a small JSON document from an address that an operator named, without being led anywhere else.

HTTPS alone, no redirects, 5 seconds in all, 64 KiB. The name is resolved once, its addresses are checked, and
the connection goes to the one that was checked: what DNS says a moment later does not matter.
"""

import asyncio
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx2

from sessions_app.exceptions import Unparsable
from sessions_app.transport import strict_json

from .address import is_public

SLOWEST = 5.0
"""Seconds, resolving the name included."""
GRACE = 0.2
"""Seconds for a connection that gave up by itself to be closed in order."""
LARGEST = 64 * 1024
MOST_ADDRESSES = 4
TYPES = ("application/json", "application/jwk-set+json")

Address = IPv4Address | IPv6Address


class Unfetched(Exception):
    """Why not. For the log."""


def fetch(url: str, *, allow_private: bool) -> Any:
    """The JSON value at `url`. Blocks. Raises: Unfetched."""
    until = time.monotonic() + SLOWEST
    addresses = resolve(url, allow_private=allow_private)
    try:
        body = asyncio.run(fetch_from(url, addresses, until))
    except TimeoutError:
        raise Unfetched(f"no answer within {SLOWEST:g} s") from None
    try:
        return strict_json.loads(body)
    except Unparsable as error:
        raise Unfetched(error.message) from None


def resolve(url: str, *, allow_private: bool) -> list[Address]:
    """The addresses behind the name. One that is not public spoils all. Raises: Unfetched."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise Unfetched("not an https URL")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ip_address(info[4][0]) for info in found))
    except (OSError, ValueError) as error:
        raise Unfetched(f"its name does not resolve: {error}") from None
    if not allow_private and not all(is_public(address) for address in addresses):
        raise Unfetched("its address is not public; allow_private says that it may be")
    return addresses[:MOST_ADDRESSES]


async def fetch_from(url: str, addresses: list[Address], until: float) -> bytes:
    """Raises: Unfetched, TimeoutError."""
    failure = Unfetched("its name has no address")
    async with asyncio.timeout(until - time.monotonic() + GRACE):
        for tried, address in enumerate(addresses):
            patience = (until - time.monotonic()) / (len(addresses) - tried)
            try:
                return await get(url, address, patience)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                failure = Unfetched(f"{type(error).__name__} {error}".strip())
    raise failure


async def get(url: str, address: Address, patience: float) -> bytes:
    """Raises: Unfetched, httpx2.HTTPError."""
    there = httpx2.URL(url)
    headers = {"host": there.netloc.decode("ascii"), "accept": ", ".join(TYPES), "accept-encoding": "identity"}
    # No proxy from the environment: it would resolve the name again. The certificate is the name's.
    client = httpx2.AsyncClient(
        verify=httpx2.create_ssl_context(), trust_env=False, follow_redirects=False, timeout=max(patience, 0.01)
    )
    pinned, extensions = there.copy_with(host=str(address)), {"sni_hostname": there.host}
    async with client, client.stream("GET", pinned, headers=headers, extensions=extensions) as response:
        return await body_of(response)


async def body_of(response: httpx2.Response) -> bytes:
    """Raises: Unfetched."""
    if response.status_code != 200:
        raise Unfetched(f"the answer was {response.status_code}")
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() not in TYPES:
        raise Unfetched("the answer is not JSON")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > LARGEST:
            raise Unfetched(f"the answer is larger than {LARGEST} bytes")
    return bytes(body)
