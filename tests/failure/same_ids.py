"""Clients that all count their requests from 0, as MCP clients do, at once and in both eras."""

import asyncio
import itertools
from typing import Any

import httpx2

from tests.wire import Wire

from .client import Client
from .rounds import expect
from .servers import Server, Site

CLIENTS = 50
ASKS_EVERY = 20
"""Calls, of which one asks back: the reply to that travels by itself."""


async def compare(url: str, keys: list[str], calls: int) -> int:
    """How many replies there were. Raises: Wrong for one that was somebody else's."""
    async with asyncio.TaskGroup() as tasks:
        for number, key in enumerate(keys):
            of_each = calls // (2 * len(keys))
            tasks.create_task(with_handshake(Client([url], key), f"durable {number}", of_each))
            tasks.create_task(without(url, key, f"stateless {number}", of_each))
    return of_each * 2 * len(keys)


async def with_handshake(client: Client, name: str, calls: int) -> None:
    await client.open()
    for number in range(calls):
        text = f"{name} {number}"
        if number % ASKS_EVERY:
            expect(await client.call("echo", text=text) == text, text)
        else:
            expect(await client.call("ask", text=text) == f"{text}: yes", text)
    await client.close()


async def without(url: str, key: str, name: str, calls: int) -> None:
    wire, ids = Wire(key), itertools.count()
    async with httpx2.AsyncClient(timeout=30) as http:
        for number in range(calls):
            text = f"{name} {number}"
            call = {"name": "echo", "arguments": {"text": text}}
            message: dict[str, Any] = wire.request("tools/call", call) | {"id": next(ids)}
            headers = wire.headers(message) | {"host": url.removeprefix("http://")}
            answer = (await http.post(f"{url}/mcp", json=message, headers=headers)).json()
            expect(answer["id"] == message["id"] and answer["result"]["content"][0]["text"] == text, answer)


def run(site: Site, server: Server, calls: int) -> int:
    keys = site.keys(*(f"user{number}" for number in range(CLIENTS)))
    return asyncio.run(compare(server.url, keys, calls))
