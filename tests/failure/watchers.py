"""Who asks a server something again and again, each in one way, and notes how it was answered and how soon."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from .caller import Caller, Seen, percentile
from .client import Wrong

PAUSE = 0.1
"""Seconds between two requests. Nobody is in a hurry but for the answers."""
OTHER_ADDRESS, THIRD_ADDRESS = "127.0.0.9", "127.0.0.10"
"""Of who presents bad credentials: his neighbours would have to wait with him."""


@dataclass
class Watcher:
    name: str
    url: str
    expected: Sequence[int] = (200,)
    """Statuses in quiet, and whenever nothing that it needs is away."""
    headers: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    needs_database: bool = True
    seen: list[Seen] = field(default_factory=list)

    async def ask(self, http: httpx2.AsyncClient) -> httpx2.Response:
        return await http.get(self.url, headers=self.headers)

    async def watch(self, done: asyncio.Event) -> None:
        """Raises: Wrong, if there is no answer at all."""
        limits = httpx2.Limits(max_keepalive_connections=0)  # each request reaches any worker
        transport = httpx2.AsyncHTTPTransport(local_address=self.address, limits=limits)
        async with httpx2.AsyncClient(timeout=30, transport=transport) as http:
            while not done.is_set():
                began = time.monotonic()
                try:
                    answer = await self.ask(http)
                except httpx2.TransportError as error:
                    raise Wrong(f"{self.name}: no answer but {error!r}") from None
                self.note(began, answer)
                await asyncio.sleep(PAUSE)

    def note(self, began: float, answer: httpx2.Response) -> None:
        status = answer.status_code
        if status == 503 and "retry-after" not in answer.headers and not self.url.endswith("/readyz"):
            raise Wrong(f"{self.name}: 503 without Retry-After")
        self.seen.append(Seen(began, time.monotonic() - began, status, status in self.expected))

    @property
    def slowest(self) -> float:
        return max(each.seconds for each in self.seen)

    def p99(self, until: float) -> float:
        return percentile([each.seconds for each in self.seen if each.began < until] or [0.0], 0.99)

    def statuses(self, since: float, until: float = float("inf")) -> set[int]:
        """Of what was asked and answered in that time."""
        return {each.status for each in self.seen if since <= each.began and each.began + each.seconds < until}

    def is_well_since(self, since: float) -> float:
        """When it was first answered as in quiet, of what was asked from then on, and never otherwise again."""
        wrong = [each.began for each in self.seen if each.began >= since and not each.is_success]
        last = max(wrong, default=since)
        return min((each.began + each.seconds for each in self.seen if each.began > last), default=float("inf"))


@dataclass
class Calling(Watcher):
    """A tool, as a client of 2026-07-28 calls it. An error result is no success."""

    key: str = ""
    tool: str = "echo"
    arguments: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._caller = Caller(self.url, self.key)

    async def ask(self, http: httpx2.AsyncClient) -> httpx2.Response:
        message = self._caller.request("tools/call", {"name": self.tool, "arguments": self.arguments})
        return await http.post(**message)

    def note(self, began: float, answer: httpx2.Response) -> None:
        super().note(began, answer)
        said = answer.json()
        if answer.status_code == 200 and said["result"].get("isError"):
            raise Wrong(f"{self.name}: {said['result']}")
        if answer.status_code != 200 and "error" not in said:
            raise Wrong(f"{self.name}: {answer.status_code} without an error")
