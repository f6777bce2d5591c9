"""The ASGI application: what lives on which path.

/mcp        McpHttpConsumer    MCP over HTTP
/mcp/guest  McpHttpConsumer    the same for callers without a credential, if there are to be any
/ws/mcp     McpWebSocketConsumer    MCP over WebSocket
/ws/rooms/<id>  RoomConsumer    a room, live in a browser
/api/…      ApiEdge            the REST API: guarded as /mcp is, then Django's
/metrics    Metrics            for Prometheus, if a token for it is set
the rest    PageEdge           what comes whole, to Django: admin, health
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

from collab_app.consumers import RoomConsumer
from sessions_app.api.edge import ApiEdge
from sessions_app.credentials import guest
from sessions_app.measuring import Measuring
from sessions_app.pool import POOLS
from sessions_app.transport import figures
from sessions_app.transport.asking import waiting
from sessions_app.transport.bus import bus
from sessions_app.transport.ends import ends
from sessions_app.transport.guard import Guard
from sessions_app.transport.heartbeat import heartbeat
from sessions_app.transport.http import McpHttpConsumer
from sessions_app.transport.sockets import sockets
from sessions_app.transport.websocket import McpWebSocketConsumer
from tools_app.recorder import recorder
from tools_app.registry import registry
from tools_app.server import McpServer

from .edge import Answer, span_of
from .metrics.endpoint import Metrics
from .page_edge import PageEdge
from .queue import Queue
from .tracing import export

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

export.begin()
server = McpServer(registry)
guard = Guard(settings.CONFIG.origin)
web = Queue(django)
api = ApiEdge(web, guard)
pages = PageEdge(web)
mcp = McpHttpConsumer.as_asgi(server=server, guard=guard)
mcp_for_guests = McpHttpConsumer.as_asgi(server=server, guard=guard, present=guest.presented)
mcp_over_websocket = McpWebSocketConsumer.as_asgi(server=server, guard=guard)
ROUTES: dict[str, Any] = {"/mcp": mcp, "/mcp/": mcp}
SOCKETS = {"/ws/mcp": mcp_over_websocket, "/ws/mcp/": mcp_over_websocket}
rooms = RoomConsumer.as_asgi(guard=guard)
ROOMS = "/ws/rooms/"
if settings.CONFIG.guests:
    ROUTES |= {"/mcp/guest": mcp_for_guests, "/mcp/guest/": mcp_for_guests}
if settings.CONFIG.metrics_token is not None:
    ROUTES["/metrics"] = Metrics(guard, settings.CONFIG.metrics_token.get_secret_value())
measuring = Measuring(*figures.LOOKS, recorder.measure)


async def application(scope: Any, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "http":
            answer = Answer(scope, send)
            with span_of(scope, answer):
                await route(scope["path"])(scope, receive, answer.send)
        case "lifespan":
            await lifespan(receive, send)
        case "websocket":
            await socket_route(scope["path"])(scope, receive, Answer(scope, send).send)


def route(path: str) -> Any:
    return ROUTES.get(path) or SOCKETS.get(path) or (api if path.startswith("/api/") else pages)


def socket_route(path: str) -> Any:
    return rooms if path.startswith(ROOMS) else SOCKETS.get(path, nowhere)


async def nowhere(scope: Any, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and end with the process (ASGI, Lifespan Protocol)."""
    await receive()
    bus.attach()
    heartbeat.begin()
    measuring.begin()
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
    await measuring.end()
    await heartbeat.end()
    await bus.detach()
    for pool in POOLS:
        await asyncio.to_thread(pool.close)
    await export.end()
