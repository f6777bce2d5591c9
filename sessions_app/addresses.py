"""Where a request comes from, and what of that counts as one place."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.http import HttpRequest

Network = IPv4Network | IPv6Network
MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 as a socket of both kinds sees it (RFC 4291, section 2.5.5.2). It is the same place."""


def peer_address(scope: Mapping[str, Any]) -> str | None:
    """The caller's address. Behind a proxy uvicorn has put it here, if the proxy is a trusted one."""
    return plain_address((scope.get("client") or ("",))[0])


def address_of(request: HttpRequest) -> str | None:
    """The same of a request that Django serves."""
    return plain_address(request.META.get("REMOTE_ADDR", ""))


@lru_cache(maxsize=4096)
def plain_address(text: str) -> str | None:
    """As a database takes it: without an IPv6 zone, which means nothing elsewhere."""
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def network_of(address: str | None) -> str:
    """What is limited as one: an IPv4 address, or the /64 that one IPv6 subscriber has whole."""
    if address is None:
        return "unknown"
    parsed = unmapped(address)
    return str(ip_network((parsed, 32 if parsed.version == 4 else 64), strict=False))


def unmapped(address: str) -> IPv4Address | IPv6Address:
    parsed = ip_address(address)
    return getattr(parsed, "ipv4_mapped", None) or parsed


def read_network(text: str) -> str:
    """A network as it is kept, `10.0.0.0/8`; of one address, `10.0.0.7/32`. Raises: ValueError, for people."""
    none = ValueError(f"{text[:50]!r} is no network; write 10.0.0.0/8, 10.0.0.7 or 2001:db8::/32.")
    if "%" in text:  # a zone, which means nothing elsewhere
        raise none
    try:
        network: Network = ip_network(text, strict=False)
        is_exact = network.network_address == ip_address(text.partition("/")[0])
    except ValueError:
        raise none from None
    if not is_exact:
        raise ValueError(f"{text[:50]} names an address inside a network; write {network} for all of it.")
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        network = IPv4Network((network.network_address.packed[-4:], network.prefixlen - MAPPED.prefixlen))
    return str(network)


@lru_cache(maxsize=1024)
def parsed_networks(networks: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(network) for network in networks)


@lru_cache(maxsize=4096)
def is_in(address: str | None, networks: tuple[str, ...]) -> bool:
    """Whether it is in one of these, as `read_network` gives them. An address that is not known is in none."""
    return address is not None and any(unmapped(address) in network for network in parsed_networks(networks))


def are_within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Whether each of these is a part of one of those."""
    return all(any(is_part(one, other) for other in parsed_networks(outer)) for one in parsed_networks(inner))


def is_part(one: Network, other: Network) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]  # the same kind by now
