"""A browser's page of a room: one socket, opened again when it breaks, that follows and says something."""

import asyncio
import itertools
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from .client import Lost, Wrong
from .readers import Reader

BROKEN = (None, 1000, 1005, 1006, 1012, 1013)
"""Codes of a close after which a page connects again: the process was killed or stops, or the page is behind."""


class Page(Reader):
    def __init__(self, name: str, url: str, room: str, cookie: str) -> None:
        super().__init__(name)
        self._address = f"{url.replace('http', 'ws')}/ws/rooms/{room}"
        self._headers = {"Cookie": cookie, "Origin": url}
        self._socket: ClientConnection | None = None
        self.opened = asyncio.Event()
        """Set when its socket was open once."""
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def follow(self) -> None:
        try:
            async with connect(
                self._address, additional_headers=self._headers, origin=None, compression=None, max_size=None
            ) as socket:
                await socket.send(json.dumps({"do": "follow", "after": self.last}))
                self._socket = socket
                self.opened.set()
                async for frame in socket:
                    self._take(json.loads(frame))
            code = socket.close_code
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
        except InvalidStatus as refused:
            code = None if refused.response.status_code >= 500 else refused.response.status_code
        except (OSError, InvalidHandshake, EOFError):
            code = None
        finally:
            self._forget()
        if code not in BROKEN:
            raise Wrong(f"{self.name}: the socket was closed with {code}")

    def _take(self, frame: dict[str, Any]) -> None:
        self.take(frame.get("messages", ()))
        if (asked := self._asked.pop(frame.get("id", 0), None)) is not None:
            asked.set_result(frame)

    def _forget(self) -> None:
        """Nobody answers any more what was asked."""
        self._socket = None
        for asked in self._asked.values():
            if not asked.done():  # who asked may have been told to stop
                asked.set_exception(Lost("the socket broke"))
        self._asked.clear()

    async def post(self, text: str, key: str) -> int:
        """The number it was given. Raises: Lost, Wrong."""
        if self._socket is None:
            raise Lost("the socket is not open again yet")
        id = next(self._ids)
        self._asked[id] = asked = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps({"id": id, "do": "post", "text": text, "key": key}))
        except ConnectionClosed:
            if self._asked.pop(id, None) is not None:
                raise Lost("the socket broke") from None
        answer = await asked
        if "error" in answer and answer["error"]["status"] >= 500:
            raise Lost(answer["error"]["message"])
        if "error" in answer:
            raise Wrong(f"{self.name}: {answer['error']}")
        sequence: int = answer["done"]["sequence"]
        return sequence
