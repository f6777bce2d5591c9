"""A client of 2026-07-28 over a WebSocket, which connects anew when it was closed."""

import asyncio
import itertools
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from tests.wire import Wire

from .client import Lost, Wrong

ENDED = (None, 1000, 1005, 1006, 1012)
"""Codes of a close after which it connects again: the process stops, or was killed."""


class SocketCaller:
    def __init__(self, url: str, key: str) -> None:
        self._address = f"{url.replace('http', 'ws')}/ws/mcp"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._wire, self._ids = Wire(key), itertools.count()
        self._socket: ClientConnection | None = None
        self._connecting = asyncio.Lock()
        self._hearing: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result. Raises: Lost, Wrong."""
        socket = await self._open()
        message = self._wire.request(method, params) | {"id": next(self._ids)}
        self._asked[message["id"]] = asked = asyncio.get_running_loop().create_future()
        try:
            await socket.send(json.dumps(message))
        except ConnectionClosed:
            if self._asked.pop(message["id"], None) is not None:
                raise Lost("the socket was closed before it was asked") from None
        answer = await asked
        if "retryAfterMs" in (answer.get("error", {}).get("data") or {}):
            raise Lost("the socket is about to be closed")
        if "result" not in answer:
            raise Wrong(str(answer))
        result: dict[str, Any] = answer["result"]
        return result

    async def _open(self) -> ClientConnection:
        async with self._connecting:
            if self._socket is None:
                try:
                    self._socket = await connect(
                        self._address, subprotocols=[Subprotocol("mcp")], additional_headers=self._headers,
                        compression=None,
                    )  # fmt: skip
                except InvalidStatus as refused:
                    status = refused.response.status_code
                    raise (Lost if status >= 500 else Wrong)(f"the socket was refused with {status}") from None
                except (OSError, InvalidHandshake, EOFError) as error:
                    raise Lost(repr(error)) from None
                self._hearing = asyncio.create_task(self._hear(self._socket))
            return self._socket

    async def _hear(self, socket: ClientConnection) -> None:
        """Until it is closed; then nobody answers any more what was asked."""
        try:
            async for frame in socket:
                answer = json.loads(frame)
                self._asked.pop(answer["id"]).set_result(answer)
        except ConnectionClosed:
            pass
        self._socket = None
        ended = Lost if socket.close_code in ENDED else Wrong
        for asked in self._asked.values():
            asked.set_exception(ended(f"the socket was closed with {socket.close_code}"))
        self._asked.clear()

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._hearing is not None:
            await self._hearing
