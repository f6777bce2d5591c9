"""Who reads a room, by each way: all that came, as it came. Cut off, each comes back by itself and reads on."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpx2

from .caller import Caller, check
from .client import REPEATS_AFTER, Client, Lost
from .rounds import expect

POLLS_EVERY = 0.25
"""Seconds. 600 requests a minute are what one user has at the REST API."""
PAGE = 100
UPDATED = "notifications/resources/updated"


class Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[tuple[int, str]] = []
        """Numbers and texts, in the order in which they came."""
        self.returned = 0
        """How often it had to come back."""

    @property
    def last(self) -> int:
        return self.seen[-1][0] if self.seen else 0

    def take(self, messages: Iterable[dict[str, Any]]) -> None:
        self.seen += [(message["sequence"], message["text"]) for message in messages]

    async def read(self) -> None:
        """For ever. Raises: Wrong."""
        while True:
            with suppress(Lost):
                await self.follow()
            self.returned += 1
            await asyncio.sleep(REPEATS_AFTER)

    async def follow(self) -> None:
        """Until it is cut off. Raises: Lost, Wrong."""
        raise NotImplementedError


class Poller(Reader):
    """A program that asks the REST API again and again."""

    def __init__(self, name: str, url: str, room: str, key: str) -> None:
        super().__init__(name)
        self._url = f"{url}/api/rooms/{room}/messages/"
        limits = httpx2.Limits(max_keepalive_connections=0)  # each request reaches any worker
        self._http = httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=20, limits=limits)

    async def follow(self) -> None:
        while True:
            try:
                answer = await self._http.get(self._url, params={"after": self.last, "limit": PAGE})
            except httpx2.TransportError as error:
                raise Lost(repr(error)) from None
            check(answer.status_code, answer.text)
            self.take(answer.json()["results"])
            await asyncio.sleep(POLLS_EVERY)


class Subscriber(Reader):
    """An agent that reads on as its subscription begins, and whenever it is told that there is something new."""

    def __init__(self, name: str, client: Caller | Client, room: str) -> None:
        super().__init__(name)
        self._client = client
        self._uri = f"room://{room}/messages"

    async def follow(self) -> None:
        news = asyncio.Event()
        both = [asyncio.create_task(work) for work in (self._hear(news), self._read_on(news))]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # or it says why
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _hear(self, news: asyncio.Event) -> None:
        """Set `news` as it begins to be told, and with each notice."""
        raise NotImplementedError

    async def _read_on(self, news: asyncio.Event) -> None:
        has_more = False
        while True:
            if not has_more:
                await news.wait()
                news.clear()
            result = await self._client.ask("resources/read", {"uri": f"{self._uri}/{self.last}"})
            page = json.loads(result["contents"][0]["text"])
            self.take(page["messages"])
            has_more = page["hasMore"]


class ModernSubscriber(Subscriber):
    """Of 2026-07-28, with `subscriptions/listen`."""

    def __init__(self, name: str, url: str, room: str, key: str) -> None:
        client = Caller(url, key)
        super().__init__(name, client, room)
        self._told = client.told

    async def _hear(self, news: asyncio.Event) -> None:
        expected = "notifications/subscriptions/acknowledged"
        async for message in self._told(self._uri):
            if "result" in message:  # the server stops, and says so
                return
            expect(message.get("method") == expected, message)
            expected = UPDATED
            news.set()


class SessionSubscriber(Subscriber):
    """Of the handshake era: `resources/subscribe` once, and a GET stream."""

    def __init__(self, name: str, url: str, room: str, key: str) -> None:
        client = Client([url], key)
        super().__init__(name, client, room)
        self._listen, self._open = client.listen, client.open
        self._is_subscribed = False

    async def follow(self) -> None:
        if not self._is_subscribed:
            await self._open()
            await self._client.ask("resources/subscribe", {"uri": self._uri})
            self._is_subscribed = True
        await super().follow()

    async def _hear(self, news: asyncio.Event) -> None:
        opened = asyncio.Event()
        beginning = asyncio.create_task(pass_on(opened, news))
        try:
            async for message in self._listen(opened):
                if message["method"] == UPDATED:
                    news.set()
        finally:
            beginning.cancel()


async def pass_on(opened: asyncio.Event, news: asyncio.Event) -> None:
    """Not what comes later: a sign of life of the stream is no news."""
    await opened.wait()
    news.set()
