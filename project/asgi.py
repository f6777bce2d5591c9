"""The ASGI application: what lives on which path.

/mcp        McpHttpConsumer    MCP over HTTP
/mcp/guest  McpHttpConsumer    the same for callers without a credential, if there are to be any
/ws/mcp     McpWebSocketConsumer    MCP over WebSocket
/api/…      ApiEdge            the REST API: guarded as /mcp is, then Django's
the rest    Django             admin, health
"""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()  # loads the apps, and with them every tools.py

from django.conf import settings

from sessions_app.api.edge import ApiEdge
from sessions_app.credentials import guest
from sessions_app.pool import POOLS
from sessions_app.transport.asking import waiting
from sessions_app.transport.bus import bus
from sessions_app.transport.ends import ends
from sessions_app.transport.guard import Guard
from sessions_app.transport.http import McpHttpConsumer
from sessions_app.transport.sockets import sockets
from sessions_app.transport.websocket import McpWebSocketConsumer
from tools_app.recorder import recorder
from tools_app.registry import registry
from tools_app.server import McpServer

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

server = McpServer(registry)
guard = Guard(settings.CONFIG.origin)
api = ApiEdge(django, guard)
mcp = McpHttpConsumer.as_asgi(server=server, guard=guard)
mcp_for_guests = McpHttpConsumer.as_asgi(server=server, guard=guard, present=guest.presented)
mcp_over_websocket = McpWebSocketConsumer.as_asgi(server=server, guard=guard)
ROUTES = {"/mcp": mcp, "/mcp/": mcp}
SOCKETS = {"/ws/mcp": mcp_over_websocket, "/ws/mcp/": mcp_over_websocket}
if settings.CONFIG.guests:
    ROUTES |= {"/mcp/guest": mcp_for_guests, "/mcp/guest/": mcp_for_guests}


async def application(scope: Any, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "http":
            await route(scope["path"])(scope, receive, send)
        case "lifespan":
            await lifespan(receive, send)
        case "websocket":
            await SOCKETS.get(scope["path"], nowhere)(scope, receive, send)


def route(path: str) -> Any:
    return ROUTES.get(path) or SOCKETS.get(path) or (api if path.startswith("/api/") else django)


async def nowhere(scope: Any, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close"})  # before it was accepted: an HTTP 403


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and end with the process (ASGI, Lifespan Protocol)."""
    await receive()
    bus.attach()
    # What is here by now stays for good; the collector need not look at it again.
    gc.collect()
    gc.freeze()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await close()
    await send({"type": "lifespan.shutdown.complete"})


def end_streams() -> None:
    """Let every open subscription end with its result, and every socket when it is idle, as a shutdown begins."""
    ends.close()
    sockets.close()
    waiting.close()


async def close() -> None:
    end_streams()
    await recorder.drain()
    await bus.detach()
    for pool in POOLS:
        await asyncio.to_thread(pool.close)
