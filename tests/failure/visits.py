"""What clients of every kind do on an ordinary day. Each visit looks at what it is answered, and is over soon."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.wire import Wire

from .caller import Caller
from .client import Client
from .rounds import expect

ROOM = "everyday"
STAYS = 3.0
"""Seconds that a listener is there, and a socket."""
SESSIONS = 4
"""That last; others are opened and left."""
STRANGER = "127.0.0.9"
"""Where wrong credentials come from: whose neighbour presents them may have to wait."""

Visit = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Kind:
    name: str
    rate: float
    """A second."""
    visit: Visit
    """Seconds that the server took. Raises: Wrong, and whatever a client may."""


class Visits:
    def __init__(self, url: str, keys: list[str]) -> None:
        """The keys of members: the first writes in the room, all read."""
        self._url = url
        self._key = keys[0]
        limits = httpx2.Limits(max_keepalive_connections=0)  # each request reaches any worker
        self._http = httpx2.AsyncClient(timeout=30, limits=limits)
        transport = httpx2.AsyncHTTPTransport(local_address=STRANGER, limits=limits)
        self._stranger = httpx2.AsyncClient(timeout=30, transport=transport)
        self._callers = itertools.cycle([Caller(url, key) for key in keys])
        self._sessions = itertools.cycle([Client([url], key) for key in keys[:SESSIONS]])
        self._listeners = itertools.cycle([Caller(url, self._key) for _ in keys])
        self._openers = itertools.cycle(keys)
        """Clients to open sessions with; each again when its last visit is long over."""
        self._keys = itertools.cycle(keys)
        self._numbers = itertools.count()

    async def open(self) -> None:
        owner = {"authorization": f"Bearer {self._key}"}
        about = {"id": ROOM, "name": "Every day"}
        (await self._http.post(f"{self._url}/api/rooms/", json=about, headers=owner)).raise_for_status()
        for _ in range(SESSIONS):
            await next(self._sessions).open()

    def kinds(self) -> list[Kind]:
        """About 40 visits a second."""
        return [
            Kind("echo", 11, self.echo),
            Kind("read", 6, self.read),
            Kind("write", 4, self.write),
            Kind("message", 2, self.message),
            Kind("session", 8, self.session),
            Kind("rest", 4, self.rest),
            Kind("page", 1, self.page),
            Kind("guest", 0.5, self.guest),
            Kind("socket", 1, self.socket),
            Kind("listener", 0.5, self.listener),
            Kind("stream", 0.25, self.stream),
            Kind("left", 0.5, self.left),
            Kind("ended", 0.5, self.ended),
            Kind("cancelled", 0.5, self.cancelled),
            Kind("stranger", 0.5, self.stranger),
            Kind("password", 0.05, self.password),
        ]

    async def echo(self) -> float:
        return await self._call("echo", text=f"{next(self._numbers)}")

    async def read(self) -> float:
        return await self._call("get-user-profile")

    async def write(self) -> float:
        return await self._call("manage-preferences", action="set", key="count", value=next(self._numbers))

    async def _call(self, name: str, **arguments: Any) -> float:
        seen = await next(self._callers).call(name, **arguments)
        expect(seen.is_success, f"{name}: {seen}")
        return seen.seconds

    async def message(self) -> float:
        said = {"action": "message", "roomId": ROOM, "message": f"It is {next(self._numbers)}."}
        return await self._ask(self._key, "tools/call", {"name": "collaboration", "arguments": said})

    async def session(self) -> float:
        """In the handshake era, in a session that lasts."""
        client, text, began = next(self._sessions), f"{next(self._numbers)}", time.monotonic()
        result = await client.ask_once("tools/call", {"name": "echo", "arguments": {"text": text}})
        expect(result["content"][0]["text"] == text, result)
        return time.monotonic() - began

    async def rest(self) -> float:
        number = next(self._numbers)
        path = ("keys/", "usage/", "preferences/", f"rooms/{ROOM}/messages/?limit=20")[number % 4]
        key = self._key if number % 4 == 3 else next(self._keys)
        return await self._get(f"/api/{path}", {"authorization": f"Bearer {key}"})

    async def page(self) -> float:
        return await self._get("/sign-in/", {})

    async def _get(self, path: str, headers: dict[str, str]) -> float:
        began = time.monotonic()
        answer = await self._http.get(f"{self._url}{path}", headers=headers)
        expect(answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}")
        return time.monotonic() - began

    async def guest(self) -> float:
        wire = Wire(None)
        message = wire.request("tools/list")
        headers = wire.headers(message) | {"host": self._url.removeprefix("http://")}
        began = time.monotonic()
        answer = await self._http.post(f"{self._url}/mcp/guest", json=message, headers=headers)
        expect("result" in answer.json(), answer.text)
        return time.monotonic() - began

    async def socket(self) -> float:
        """Of which the last call is under way when it closes, as often as not."""
        key = next(self._keys)
        wire, took = Wire(key), 0.0
        address, headers = f"{self._url.replace('http', 'ws')}/ws/mcp", {"Authorization": f"Bearer {key}"}
        async with connect(
            address, subprotocols=[Subprotocol("mcp")], additional_headers=headers, compression=None
        ) as line:
            for number in range(3):
                call = wire.request("tools/call", {"name": "echo", "arguments": {"text": str(number)}})
                began = time.monotonic()
                await line.send(json.dumps(call | {"id": number}))
                answer = json.loads(await line.recv())
                took = max(took, time.monotonic() - began)
                expect(answer["result"]["content"][0]["text"] == str(number), answer)
                await asyncio.sleep(STAYS / 3)
            await line.send(json.dumps(call | {"id": 3}))
        return took

    async def listener(self) -> float:
        """Until it is told that it is listened to, which happens soon; then it stays, and leaves."""
        return await self._stays(next(self._listeners).told(f"room://{ROOM}/messages"))

    async def stream(self) -> float:
        """The GET stream of a session that is opened for it."""
        async with self._opened() as client:
            opened = asyncio.Event()
            listening = asyncio.create_task(hear(client.listen(opened)))
            began = time.monotonic()
            opening = asyncio.create_task(opened.wait())
            await asyncio.wait({listening, opening}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            took = time.monotonic() - began
            opening.cancel()
            if listening.done():
                listening.result()  # what it met with
            expect(opened.is_set(), "a stream did not begin")
            await asyncio.sleep(STAYS)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        return took

    async def _stays(self, told: AsyncIterator[dict[str, Any]]) -> float:
        began, took = time.monotonic(), 0.0
        with suppress(TimeoutError):
            async with asyncio.timeout(STAYS), aclosing(told):  # type: ignore[type-var]
                async for _ in told:
                    took = took or time.monotonic() - began
        expect(took > 0, "a listener was not told that it is one")
        return took

    async def left(self) -> float:
        """A session that is opened, and never seen again."""
        began = time.monotonic()
        async with self._opened():
            return time.monotonic() - began

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Client]:
        """With a session of its own, which is left."""
        client = Client([self._url], next(self._openers))
        try:
            await client.open()
            yield client
        finally:
            await client.close()

    async def ended(self) -> float:
        async with self._opened() as client:
            headers = {"authorization": client.authorization, "mcp-session-id": client.session_id}
        began = time.monotonic()
        answer = await self._http.delete(f"{self._url}/mcp", headers=headers)
        expect(answer.status_code in (200, 202, 204), f"DELETE: {answer.status_code} {answer.text}")
        return time.monotonic() - began

    async def cancelled(self) -> float:
        """A call that its client does not wait for. Then others of the same caller are served as before."""
        caller = next(self._callers)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1 + next(self._numbers) % 10 / 20):
                await caller.call("wait", seconds=5)
        seen = await caller.call("echo", text="still here")
        expect(seen.is_success, seen)
        return seen.seconds

    async def stranger(self) -> float:
        """With a key that is none."""
        wire = Wire("mcp_key_aaaaaaaaaaaa_" + "b" * 50)
        message = wire.request("tools/list")
        headers = wire.headers(message) | {"host": self._url.removeprefix("http://")}
        began = time.monotonic()
        answer = await self._stranger.post(f"{self._url}/mcp", json=message, headers=headers)
        expect(answer.status_code == 401, f"a stranger: {answer.status_code} {answer.text}")
        return time.monotonic() - began

    async def password(self) -> float:
        """One that is wrong, of somebody who is not here."""
        about = {"username": f"nobody{next(self._numbers)}", "password": "not a password of anybody"}
        began = time.monotonic()
        answer = await self._stranger.post(f"{self._url}/api/token/", json=about)
        expect(answer.status_code == 401, f"a wrong password: {answer.status_code} {answer.text}")
        return time.monotonic() - began

    async def _ask(self, key: str, method: str, params: dict[str, Any]) -> float:
        wire = Wire(key)
        message = wire.request(method, params)
        headers = wire.headers(message) | {"host": self._url.removeprefix("http://")}
        began = time.monotonic()
        answer = await self._http.post(f"{self._url}/mcp", json=message, headers=headers)
        expect(answer.status_code == 200 and not answer.json()["result"]["isError"], answer.text)
        return time.monotonic() - began


async def hear(messages: AsyncIterator[Any]) -> None:
    async for _ in messages:
        pass
