"""Who sets a value, by each way, as `writers.Writer` does it: again, until it is known to be set."""

import json
from typing import Any

from .caller import Caller
from .client import Client, Wrong
from .rounds import expect
from .writers import Rest

COUNT = "count"
"""The key of the number that all who count share."""


class Counter:
    """Adds one to a number of a room, by comparing versions: it looks, and sets only what it saw.

    What became of an addition that was not answered the value itself tells: beside the total it has, for each who
    counts, the key of his last addition and what he made it.
    """

    def __init__(self, name: str, client: Caller | Client, room: str) -> None:
        self.name = name
        self._client, self._room = client, room

    async def post(self, text: str, key: str) -> int:
        """What the total became. Raises: Lost, Wrong."""
        if isinstance(self._client, Client) and not self._client.session_id:
            await self._client.open()
        while True:
            value, version = await self._look()
            done, total = value["last"].get(self.name, ("", 0))
            if done == key:
                return int(total)
            total = value["total"] + 1
            if await self._set({"total": total, "last": {**value["last"], self.name: (key, total)}}, version):
                return int(total)

    async def _look(self) -> tuple[dict[str, Any], int]:
        read = await self._client.ask("resources/read", {"uri": f"room://{self._room}/state/{COUNT}"})
        entry = json.loads(read["contents"][0]["text"])
        return entry["value"], entry["version"]

    async def _set(self, value: dict[str, Any], version: int) -> bool:
        """False if somebody was faster; and that may be the same addition, sent before."""
        put = {"action": "state", "roomId": self._room, "stateKey": COUNT, "stateValue": value}
        arguments = {**put, "expectedVersion": version}
        result = await self._client.ask("tools/call", {"name": "collaboration", "arguments": arguments})
        if not result.get("isError"):
            return True
        if not (result.get("structuredContent") or {}).get("conflict"):
            raise Wrong(str(result))
        return False


class Keeper:
    """Keeps a preference, over MCP."""

    def __init__(self, name: str, client: Caller | Client) -> None:
        self.name = name
        self._client = client

    async def post(self, text: str, key: str) -> int:
        """0: preferences have no numbers. Raises: Lost, Wrong."""
        if isinstance(self._client, Client) and not self._client.session_id:
            await self._client.open()
        arguments = {"action": "set", "key": self.name, "value": text}
        result = await self._client.ask("tools/call", {"name": "manage-preferences", "arguments": arguments})
        expect(not result.get("isError"), result)
        return 0


class RestKeeper:
    """Keeps a preference, over REST."""

    def __init__(self, name: str, url: str, key: str) -> None:
        self.name = name
        self._rest = Rest(url, key)

    async def post(self, text: str, key: str) -> int:
        """0, likewise. Raises: Lost, Wrong."""
        await self._rest.send("PUT", f"/api/preferences/{self.name}/", {"value": text})
        return 0
