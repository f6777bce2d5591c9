"""The same question over both eras: by one who knows a session, or opens one if there is none yet."""

from collections.abc import Awaitable, Callable

from tests.wire import Answer, Durable, Wire

Knock = Callable[..., Awaitable[Answer]]


async def stateless(secret: str | None, **headers: str | None) -> Answer:
    """2026-07-28."""
    return await Wire(secret).ask("tools/list", headers=headers)


async def handshake(secret: str | None, **headers: str | None) -> Answer:
    """2025-11-25: the request that opens a session."""
    client = Durable(secret)
    message = client.request("initialize", {
        "protocolVersion": client.version, "clientInfo": client.client, "capabilities": {},
    })  # fmt: skip
    without = {"mcp-session-id": None, "mcp-protocol-version": None}
    return await client.post(message, headers={**without, **headers})


ERAS: dict[str, Knock] = {"2026-07-28": stateless, "2025-11-25": handshake}


def everything(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return answer.status, answer.headers, answer.body
