"""A client of the handshake era that sends its requests to several servers in turn, and repeats what failed."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2

VERSION = "2025-11-25"
REPEATS_AFTER = 0.1
MOST_REPEATS = 100
"""Ten seconds of them: a killed process is replaced within two or three."""


class Lost(Exception):
    """The connection or the stream broke before the response was whole. What MCP clients repeat."""


class Wrong(Exception):
    """An answer that no failure excuses."""


class Client:
    def __init__(self, urls: Sequence[str], key: str, *, sure: bool = True) -> None:
        self._urls = itertools.cycle(urls)
        self._http = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"},
            timeout=20,
            limits=httpx2.Limits(max_connections=50, max_keepalive_connections=0),  # each request connects anew
        )
        self._ids = itertools.count(1)
        self.session_id = ""
        self.sure = sure
        """What it answers when it is asked."""
        self.progress: list[float] = []
        """What the last request was told while it was served."""
        self.repeated = 0
        self.acknowledged: list[str] = []
        """Ids of the server's requests whose replies were answered 202."""

    def become(self, key: str) -> None:
        """Another caller, who has no session yet."""
        self._http.headers["authorization"] = f"Bearer {key}"
        self.session_id = ""

    @property
    def authorization(self) -> str:
        """Of its key, as a header."""
        return self._http.headers["authorization"]

    async def close(self) -> None:
        await self._http.aclose()

    @property
    def _headers(self) -> dict[str, str]:
        return {"mcp-session-id": self.session_id, "mcp-protocol-version": VERSION} if self.session_id else {}

    async def open(self) -> None:
        about = {"name": "failure-tests", "version": "1"}
        params = {"protocolVersion": VERSION, "clientInfo": about, "capabilities": {"elicitation": {}}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = await self._http.post(self._url(), json=message)
        answer.raise_for_status()
        self.session_id = answer.headers["mcp-session-id"]
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result, however often it takes."""
        for _ in range(MOST_REPEATS):
            try:
                return await self.ask_once(method, params)
            except Lost:
                self.repeated += 1
                await asyncio.sleep(REPEATS_AFTER)
        raise Wrong(f"{method} failed {MOST_REPEATS} times")

    async def ask_once(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The result. Questions that come before it are answered at the next server."""
        id, self.progress = next(self._ids), []
        params = {**(params or {}), "_meta": {"progressToken": f"of {id}"}}
        async for message in self._messages(
            "POST", json={"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        ):
            if "result" in message and message["id"] == id:
                result: dict[str, Any] = message["result"]
                return result
            await self._take(message, f"of {id}")
        raise Lost(method)

    async def _take(self, message: dict[str, Any], token: str) -> None:
        """What comes before the result: progress, and questions."""
        if message.get("method") == "notifications/progress" and message["params"]["progressToken"] == token:
            self.progress.append(message["params"]["progress"])
        elif message.get("method") == "elicitation/create":
            answer = {"action": "accept", "content": {"sure": self.sure}}
            await self.post({"jsonrpc": "2.0", "id": message["id"], "result": answer})
            self.acknowledged.append(message["id"])
        else:
            raise Wrong(str(message))

    async def call(self, name: str, **arguments: Any) -> str:
        result = await self.ask("tools/call", {"name": name, "arguments": arguments})
        text: str = result["content"][0]["text"]
        if result["isError"]:
            raise Wrong(text)
        return text

    async def post(self, message: dict[str, Any]) -> None:
        """A notification or a reply, until it is acknowledged."""
        for _ in range(MOST_REPEATS):
            try:
                answer = await self._http.post(self._url(), json=message, headers=self._headers)
            except httpx2.TransportError:
                self.repeated += 1
            else:
                if answer.status_code == 202:
                    return
                if answer.status_code < 500:
                    raise Wrong(f"{answer.status_code}: {answer.text}")
            await asyncio.sleep(REPEATS_AFTER)
        raise Wrong("never acknowledged")

    def listen(self, opened: asyncio.Event) -> AsyncIterator[dict[str, Any]]:
        """What the GET stream says, from the next server. `opened` is set when it will miss nothing more."""
        return self._messages("GET", opened)

    async def _messages(
        self, method: str, opened: asyncio.Event | None = None, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        try:
            async with self._http.stream(method, self._url(), headers=self._headers, **kwargs) as answer:
                if answer.status_code >= 500:
                    raise Lost(str(answer.status_code))
                if answer.status_code != 200:
                    raise Wrong(f"{answer.status_code}: {(await answer.aread()).decode()}")
                async for line in answer.aiter_lines():
                    if opened is not None:
                        opened.set()
                    if line.startswith(("data: ", "{")):
                        yield json.loads(line.removeprefix("data: "))
        except httpx2.TransportError as error:
            raise Lost(repr(error)) from None

    def _url(self) -> str:
        return f"{next(self._urls)}/mcp"
