"""Who says something in a room, by each way: again with the same key, until it is acknowledged."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx2

from .caller import Caller, check
from .client import MOST_REPEATS, REPEATS_AFTER, Client, Lost, Wrong
from .rounds import expect

SENT_AGAIN = 10
"""Of so many messages one is sent again, though it was acknowledged."""


@dataclass
class Said:
    acknowledged: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Number and text, by idempotency key."""
    repeated: int = 0


class Writer(Protocol):
    name: str

    async def post(self, text: str, key: str) -> int:
        """The number that it was given. Raises: Lost, Wrong."""


async def write(writer: Writer, numbers: Iterator[int], said: Said) -> None:
    """Raises: Wrong."""
    for number in numbers:
        text, key = f"{number}\nby “{writer.name}”", f"{writer.name} {number}"
        sequence = await acknowledged(writer, text, key, said)
        said.acknowledged[key] = (sequence, text)
        if number % SENT_AGAIN == 0:
            again = await acknowledged(writer, text, key, said)
            expect(again == sequence, f"{key} has the number {sequence}, and {again} when it is sent again")


async def acknowledged(writer: Writer, text: str, key: str, said: Said) -> int:
    for _ in range(MOST_REPEATS):
        try:
            return await writer.post(text, key)
        except Lost:
            said.repeated += 1
            await asyncio.sleep(REPEATS_AFTER)
    raise Wrong(f"{key} was refused {MOST_REPEATS} times")


class Agent:
    """Of 2026-07-28, or of the handshake era, whose client repeats by itself."""

    def __init__(self, name: str, client: Caller | Client, room: str) -> None:
        self.name = name
        self._client, self._room = client, room

    async def post(self, text: str, key: str) -> int:
        if isinstance(self._client, Client) and not self._client.session_id:
            await self._client.open()
        said = {"action": "message", "roomId": self._room, "message": text, "idempotencyKey": key}
        result = await self._client.ask("tools/call", {"name": "collaboration", "arguments": said})
        expect(not result.get("isError"), result)
        sequence: int = result["structuredContent"]["messages"][0]["sequence"]
        return sequence


class Program:
    """Over REST."""

    def __init__(self, name: str, url: str, room: str, key: str) -> None:
        self.name = name
        self._rest = Rest(url, key)
        self._path = f"/api/rooms/{room}/messages/"

    async def post(self, text: str, key: str) -> int:
        said = await self._rest.send("POST", self._path, {"text": text}, {"idempotency-key": key})
        sequence: int = said["sequence"]
        return sequence


class Rest:
    """A user's REST API."""

    def __init__(self, url: str, key: str) -> None:
        limits = httpx2.Limits(max_keepalive_connections=0)  # each request reaches any worker
        self._http = httpx2.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=20, limits=limits
        )

    async def send(
        self, method: str, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """What it answers. Raises: Lost, Wrong."""
        try:
            answer = await self._http.request(method, path, json=body, headers=headers)
        except httpx2.TransportError as error:
            raise Lost(repr(error)) from None
        if answer.status_code == 429:  # 600 a minute are what one user has at the REST API
            await asyncio.sleep(float(answer.headers["retry-after"]))
            raise Lost("too often")
        check(answer.status_code, answer.text)
        said: dict[str, Any] = answer.json()
        return said
