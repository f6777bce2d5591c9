"""The same question on every wire and in both eras: by one who opens a session if there is none yet."""

from collections.abc import Awaitable, Callable

from tests.socket import SocketWire, dial
from tests.wire import Answer, Durable, Wire

Knock = Callable[..., Awaitable[Answer]]
HOME = "127.0.0.1"


async def stateless(secret: str | None, *, address: str = HOME, **headers: str | None) -> Answer:
    """2026-07-28."""
    return await Wire(secret).ask("tools/list", headers=headers, client=(address, 5))


async def handshake(secret: str | None, *, address: str = HOME, **headers: str | None) -> Answer:
    """2025-11-25: the request that opens a session."""
    client = Durable(secret)
    message = client.request("initialize", {
        "protocolVersion": client.version, "clientInfo": client.client, "capabilities": {},
    })  # fmt: skip
    without = {"mcp-session-id": None, "mcp-protocol-version": None}
    return await client.post(message, headers={**without, **headers}, client=(address, 5))


async def socket(secret: str | None, *, address: str = HOME, **headers: str | None) -> Answer:
    """2026-07-28 over WebSocket: how its handshake is answered, or the first request."""
    line = await dial(secret, headers=headers, client=(address, 5)).opened()
    return await first_answer(SocketWire(line, Wire(secret)), "tools/list")


async def older_socket(secret: str | None, *, address: str = HOME, **headers: str | None) -> Answer:
    """2025-11-25 over WebSocket."""
    line = await dial(secret, headers=headers, client=(address, 5)).opened()
    client = SocketWire(line, Wire(secret), is_stateless=False)
    about = {"protocolVersion": "2025-11-25", "clientInfo": {"name": "pytest", "version": "1"}, "capabilities": {}}
    return await first_answer(client, "initialize", **about)


async def first_answer(client: SocketWire, method: str, **params: object) -> Answer:
    if client.line.answer.status != 101:
        await client.line.over()
        return client.line.answer
    answer = await client.ask(method, params)
    await client.leave()
    return answer


OVER_HTTP: dict[str, Knock] = {"2026-07-28": stateless, "2025-11-25": handshake}
ERAS: dict[str, Knock] = {**OVER_HTTP, "websocket 2026-07-28": socket, "websocket 2025-11-25": older_socket}


def everything(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return answer.status, answer.headers, answer.body
