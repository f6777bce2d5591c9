"""A client of 2026-07-28 that only calls, and notes when, how long it took and what status came of it."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.wire import Wire

from .client import Lost, Wrong


@dataclass(frozen=True)
class Seen:
    began: float
    """`time.monotonic()`, which all processes of a machine share."""
    seconds: float
    status: int
    is_success: bool


@dataclass
class Caller:
    url: str
    key: str
    address: str = "127.0.0.1"
    """Where it calls from: any of 127.0.0.0/8. Whose neighbour presents bad credentials may have to wait."""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._wire, self._ids = Wire(self.key), itertools.count()
        self.is_listening, self.has_called = asyncio.Event(), asyncio.Event()
        # Each request connects anew, and so reaches any worker.
        limits = httpx2.Limits(max_keepalive_connections=0)
        transport = httpx2.AsyncHTTPTransport(local_address=self.address, limits=limits)
        self._http = httpx2.AsyncClient(timeout=30, transport=transport)

    async def call(self, name: str, **arguments: Any) -> Seen:
        message = self.request("tools/call", {"name": name, "arguments": arguments})
        began = time.monotonic()
        answer = await self._http.post(**message)
        result = answer.json().get("result")
        seen = Seen(began, time.monotonic() - began, answer.status_code, bool(result and not result["isError"]))
        self.seen.append(seen)
        self.has_called.set()
        return seen

    async def listen(self) -> float:
        """When a stream ended that was open until then."""
        wanted = {"notifications": {"toolsListChanged": True}}
        async with self._http.stream("POST", **self.request("subscriptions/listen", wanted)) as answer:
            async for _ in answer.aiter_lines():
                self.is_listening.set()
        return time.monotonic()

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result. Raises: Lost, Wrong."""
        try:
            answer = await self._http.post(**self.request(method, params))
        except httpx2.TransportError as error:
            raise Lost(repr(error)) from None
        check(answer.status_code, answer.text)
        result: dict[str, Any] = answer.json()["result"]
        return result

    async def told(self, *uris: str) -> AsyncIterator[dict[str, Any]]:
        """What a subscription to these says, the acknowledgement first, until it ends. Raises: Lost, Wrong."""
        message = self.request("subscriptions/listen", {"notifications": {"resourceSubscriptions": list(uris)}})
        try:
            async with self._http.stream("POST", **message) as answer:
                if answer.status_code != 200:
                    check(answer.status_code, (await answer.aread()).decode())
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except httpx2.TransportError as error:
            raise Lost(repr(error)) from None

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        message = self._wire.request(method, params) | {"id": next(self._ids)}
        headers = self._wire.headers(message) | {"host": self.url.removeprefix("http://")}
        return {"url": f"{self.url}/mcp", "json": message, "headers": headers}

    async def close(self) -> None:
        await self._http.aclose()


def check(status: int, body: str) -> None:
    """Raises: Lost for what may be repeated, Wrong for any other refusal."""
    if status >= 500:
        raise Lost(str(status))
    if status >= 400:
        raise Wrong(f"{status}: {body}")


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]
