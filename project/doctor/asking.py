"""Asking the server over HTTP, as clients do."""

import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx2

from project.config import LOOPBACK_HOSTS
from sessions_app.transport.guard import EVENTS

from .examination import PATIENCE
from .finding import reason

AGENT = "Concierge-doctor"
JSON = "application/json"
TO_MCP = {"accept": f"{JSON}, {EVENTS}", "content-type": JSON}
PING: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}
HANDSHAKE_VERSION = "2025-11-25"
INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": HANDSHAKE_VERSION,
        "capabilities": {},
        "clientInfo": {"name": "manage.py doctor", "version": "1"},
    },
}
INITIALIZED: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}
BEFORE_US = (502, 503, 504)
"""What a proxy says when nobody is behind it. 503 is also ours, and then JSON."""


def client(origin: str) -> httpx2.Client:
    """It follows no redirect, and trusts whom Python does (SSL_CERT_FILE)."""
    return httpx2.Client(
        base_url=origin,
        timeout=PATIENCE,
        trust_env=not is_here(origin),  # a proxy on the way out would reach another machine
        verify=ssl.create_default_context() if origin.startswith("https") else False,
        headers={"user-agent": AGENT},
    )


def is_here(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK_HOSTS


def document(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object that was answered, alone or as the first event; empty if it is something else."""
    lines = response.text.splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    try:
        found = httpx2.Response(200, text=data[0]).json() if data else response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_ours(response: httpx2.Response) -> bool:
    """Whether Concierge answered at /mcp, and nobody before it."""
    return document(response).get("jsonrpc") == "2.0"


def failure(error: httpx2.TransportError) -> str:
    return f"no answer within {PATIENCE:g} s" if isinstance(error, httpx2.TimeoutException) else reason(error)
