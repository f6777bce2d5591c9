"""A client of each era on each wire: what is true of one is to be true of all."""

from collections.abc import Awaitable, Callable

from tests.socket import SocketWire
from tests.wire import Durable, Wire

Client = Wire | Durable | SocketWire


async def stateless(key: str) -> Wire:
    return Wire(key)


CLIENTS: dict[str, Callable[[str], Awaitable[Client]]] = {
    "2026-07-28": stateless,
    "2025-11-25": Durable.open,
    "websocket 2026-07-28": SocketWire.open,
    "websocket 2025-11-25": SocketWire.shake_hands,
}
