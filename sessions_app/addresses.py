"""Where a request comes from, and what of that counts as one place."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from django.http import HttpRequest


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
    parsed = ip_address(address)
    if mapped := getattr(parsed, "ipv4_mapped", None):
        parsed = mapped
    return str(ip_network((parsed, 32 if parsed.version == 4 else 64), strict=False))
