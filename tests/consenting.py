"""Clients that can ask their user, of either era and on either wire, and what he says."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.clients import Client
from tests.socket import SocketWire
from tests.wire import Answer, Durable, Wire

YES = {"action": "accept", "content": {"confirm": True}}
NO = {"action": "accept", "content": {"confirm": False}}
DECLINED = {"action": "decline"}
FORMS: dict[str, Any] = {"elicitation": {"form": {}}}


async def stateless(key: str) -> Client:
    return Wire(key, capabilities=FORMS)


async def durable(key: str) -> Client:
    return await Durable.open(key, capabilities={"elicitation": {}})


async def socket(key: str) -> Client:
    return await SocketWire.open(key, wire=Wire(key, capabilities=FORMS))


CONSENTING: dict[str, Callable[[str], Awaitable[Client]]] = {
    "2026-07-28": stateless,
    "2025-11-25": durable,
    "websocket 2026-07-28": socket,
    "websocket 2025-11-25": SocketWire.shake_hands,
}


async def call_and_answer(
    client: Client, name: str, arguments: Mapping[str, Any], answer: Mapping[str, Any] = YES
) -> tuple[str, Answer]:
    """The question that came, and what came of the answer."""
    if isinstance(client, Wire) or (isinstance(client, SocketWire) and client.is_stateless):
        asked = (await client.call(name, arguments)).result
        if asked["resultType"] != "input_required":
            raise AssertionError(asked["content"])
        return question_of(asked), await answered(client, name, arguments, asked, answer)
    if isinstance(client, Durable):
        post = client.begin(name, arguments)
        question = await post.asked()
        await client.reply(question["id"], answer)
        return question["params"]["message"], await post.wait()
    called = client.calling(name, arguments)
    question = await client.line.told("elicitation/create")
    client.line.messages.remove(question)
    client.reply(question["id"], answer)
    return question["params"]["message"], await client.answer_to(called)


def question_of(asked: Mapping[str, Any]) -> str:
    [request] = asked["inputRequests"].values()
    message: str = request["params"]["message"]
    return message


async def answered(
    client: Wire | SocketWire,
    name: str,
    arguments: Mapping[str, Any],
    asked: Mapping[str, Any],
    answer: Mapping[str, Any] = YES,
) -> Answer:
    """The second round of 2026-07-28."""
    [key] = asked["inputRequests"]
    second = {"inputResponses": {key: answer}, "requestState": asked["requestState"]}
    return await client.ask("tools/call", {"name": name, "arguments": arguments, **second})


async def left(client: Client) -> None:
    if isinstance(client, SocketWire):
        await asyncio.wait_for(client.leave(), 5)
