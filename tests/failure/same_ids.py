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
CLIENTS_OF_ONE = 20
"""With one credential for all of them: fewer, because only 32 questions of one may be open."""
ASKS_EVERY = 20
"""Calls, of which one asks back: the reply to that travels by itself."""


async def compare(url: str, keys: list[str], calls: int) -> int:
    """How many replies there were. Raises: Wrong for one that was somebody else's, or did not come."""
    of_each = calls // (2 * len(keys))
    clients = [Client([url], key, sure=number % 2 == 0) for number, key in enumerate(keys)]
    async with asyncio.TaskGroup() as tasks:
        for number, (client, key) in enumerate(zip(clients, keys, strict=True)):
            tasks.create_task(with_handshake(client, f"durable {number}", of_each))
            tasks.create_task(without(url, key, f"stateless {number}", of_each))
    repeated = sum(client.repeated for client in clients)
    expect(not repeated, f"{repeated} requests had to be repeated")
    return of_each * 2 * len(keys)


async def with_handshake(client: Client, name: str, calls: int) -> None:
    await client.open()
    answer = "yes" if client.sure else "no"
    for number in range(calls):
        text = f"{name} {number}"
        if number % ASKS_EVERY:
            expect(await client.call("echo", text=text) == text, text)
        else:
            expect(await client.call("ask", text=text) == f"{text}: {answer}", text)
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
    """Half of the calls by clients with a credential each, half by clients that share one."""
    keys = site.keys(*(f"user{number}" for number in range(CLIENTS)))
    of_all = asyncio.run(compare(server.url, keys, calls // 2))
    return of_all + asyncio.run(compare(server.url, keys[:1] * CLIENTS_OF_ONE, calls // 2))
