"""Clients that all count their requests from 0, as MCP clients do, at once, in both eras and over sockets."""

import asyncio
import itertools
import json
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.wire import Wire

from .client import Client
from .rounds import expect
from .servers import Server, Site

CLIENTS = 50
CLIENTS_OF_ONE = 12
"""With one credential for all of them: fewer, because only 32 questions of one may be open."""
AT_ONCE = 3
"""Calls of one socket."""
KINDS = 3
ASKS_EVERY = 20
"""Calls, of which one asks back: the reply to that travels by itself."""


async def compare(url: str, keys: list[str], calls: int) -> int:
    """How many replies there were. Raises: Wrong for one that was somebody else's, or did not come."""
    of_each = calls // (KINDS * len(keys))
    clients = [Client([url], key, sure=number % 2 == 0) for number, key in enumerate(keys)]
    async with asyncio.TaskGroup() as tasks:
        for number, (client, key) in enumerate(zip(clients, keys, strict=True)):
            tasks.create_task(with_handshake(client, f"durable {number}", of_each))
            tasks.create_task(without(url, key, f"stateless {number}", of_each))
            tasks.create_task(over_socket(url, key, f"socket {number}", of_each))
    repeated = sum(client.repeated for client in clients)
    expect(not repeated, f"{repeated} requests had to be repeated")
    return of_each * KINDS * len(keys)


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


async def over_socket(url: str, key: str, name: str, calls: int) -> None:
    """Several at a time: the replies come in whatever order."""
    wire, ids = Wire(key), itertools.count()
    address, headers = f"{url.replace('http', 'ws')}/ws/mcp", {"Authorization": f"Bearer {key}"}
    async with connect(
        address, subprotocols=[Subprotocol("mcp")], additional_headers=headers, compression=None
    ) as socket:
        for numbers in itertools.batched(range(calls), AT_ONCE):
            texts = {next(ids): f"{name} {number}" for number in numbers}
            for request_id, text in texts.items():
                call = wire.request("tools/call", {"name": "echo", "arguments": {"text": text}})
                await socket.send(json.dumps(call | {"id": request_id}))
            answers = [json.loads(await socket.recv()) for _ in texts]
            replies = {answer["id"]: answer["result"]["content"][0]["text"] for answer in answers}
            expect(replies == texts, replies)


def run(site: Site, server: Server, calls: int) -> int:
    """Half of the calls by clients with a credential each, half by clients that share one."""
    keys = site.keys(*(f"user{number}" for number in range(CLIENTS)))
    of_all = asyncio.run(compare(server.url, keys, calls // 2))
    return of_all + asyncio.run(compare(server.url, keys[:1] * CLIENTS_OF_ONE, calls // 2))
