"""Durable sessions: whose they are, which process serves them, and how they and their calls end."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from project import asgi
from sessions_app import limits
from sessions_app.callers import callers
from sessions_app.models import ApiKey, ServerRequest, Session, User
from sessions_app.models.session_lifetime import IDLE_LIFETIME
from sessions_app.pool import background_pool, identity_pool
from sessions_app.transport import carrier, exchange, presence
from sessions_app.transport.bus import bus
from sessions_app.transport.ends import ends
from sessions_app.transport.http import McpHttpConsumer
from tests.sessions_app.conftest import durable_for, new_key, nothing_left, row_of
from tests.shop import tools as shop
from tests.wire import Answer, Durable, Wire, until
from tools_app.models import ToolCall
from tools_app.registry import registry
from tools_app.server import McpServer

NOT_FOUND = {"code": -32001, "message": "Session not found"}


# --- Whose a session is ---------------------------------------------------------------------------


async def everything(client: Durable) -> list[Answer]:
    """The answers to all that a client may send, with the same ids each time."""
    client = replace(client, ids=count(100))
    return [
        await client.ask("tools/list"),
        await client.call("echo", {"text": "x"}),
        await client.ask("resources/subscribe", {"uri": "shop://menu"}),
        await client.ask("logging/setLevel", {"level": "error"}),
        await client.ask("tools/invent"),
        await client.notify("notifications/initialized"),
        await client.notify("notifications/cancelled", {"requestId": 1}),
        await client.notify("notifications/cancelled"),
        await client.reply("an id", {}),
        await client.open_get().wait(),
        await client.delete(),
    ]


async def test_to_anybody_else_a_session_is_not_there_byte_for_byte(
    durable: Durable, alice: User, bob: User, charlie: User
) -> None:
    quiet_since = timezone.now() - timedelta(hours=1)
    await Session.objects.filter(public_id=durable.session_id).aupdate(last_activity_at=quiet_since)
    revoked = await new_key(alice)
    await ApiKey.objects.filter(public_id=revoked.split("_")[1]).aupdate(revoked_at=timezone.now())
    strangers = {
        await new_key(bob): 404,
        await new_key(charlie): 404,
        await new_key(alice): 404,
        revoked: 401,
        None: 401,
    }
    for key, status in strangers.items():
        real = await everything(durable.with_key(key))
        assert real == await everything(durable.with_key(key).with_id("A" * 43))
        assert {answer.status for answer in real} == {status}
        if status == 404:
            assert all(answer.error == NOT_FOUND for answer in real)
    session = await row_of(durable)
    assert (session.is_live, session.stream, session.log_level) == (True, "", "")
    assert not await session.subscriptions.aexists()
    assert session.last_activity_at == quiet_since


async def test_an_id_of_no_possible_session_is_like_any_other_unknown_one(durable: Durable, wire: Wire) -> None:
    expected = await everything(durable.with_id("A" * 43))
    await wire.call("echo", {"text": "x"})
    stateless = await Session.objects.aget(protocol_version="2026-07-28")
    for odd in ("x", "a" * 8000, "\xff", "' OR 1=1 --", "%", stateless.public_id, str(durable.session_id).lower()):
        assert await everything(durable.with_id(odd)) == expected


async def test_a_request_without_a_session_id_is_a_mistake(durable: Durable) -> None:
    for answer in await everything(durable.with_id(None)):
        assert (answer.status, answer.error["code"]) == (400, -32600)
        assert "Mcp-Session-Id" in answer.error["message"]


async def test_a_credential_of_other_bytes_and_the_same_identity_goes_on(durable: Durable, alice: User) -> None:
    def rotate() -> str:
        key = alice.api_keys.get()
        token = key.give_secret()
        key.save()
        return token.value

    rotated = await identity_pool.run(rotate)
    callers.forget()
    assert (await durable.with_key(rotated).ask("ping")).result == {}
    assert (await durable.ask("ping")).status == 401


async def test_a_session_is_cut_off_by_the_clock(durable: Durable) -> None:
    now = timezone.now()
    for over in ({"expires_at": now}, {"last_activity_at": now - IDLE_LIFETIME}):
        client = await Durable.open(durable.key)
        await Session.objects.filter(public_id=client.session_id).aupdate(**over)
        presence.forget()
        assert await everything(client) == await everything(client.with_id("A" * 43))


async def test_a_session_that_is_cached_is_cut_off_by_the_clock_too(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await durable.ask("ping")).status == 200
    monkeypatch.setattr("sessions_app.models.session_lifetime.IDLE_LIFETIME", timedelta(0))
    assert (await durable.ask("ping")).error == NOT_FOUND


# --- Any process ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_any_process_serves_the_next_request(durable: Durable, monkeypatch: pytest.MonkeyPatch) -> None:
    await durable.ask("logging/setLevel", {"level": "critical"})
    for _ in range(2):
        presence.forget()
        callers.forget()
        another = McpHttpConsumer.as_asgi(server=McpServer(registry), guard=asgi.mcp.consumer_initkwargs["guard"])
        monkeypatch.setattr(asgi, "mcp", another)
        answer = await durable.call("chatter")
        assert [note["params"]["level"] for note in answer.messages[:-1]] == ["critical", "alert", "emergency"]
        call = durable.begin("ask", {"text": "Tea"})
        question = await call.asked()
        presence.forget()
        assert (await durable.accept(question["id"], sure=True)).status == 202
        assert (await call.wait()).text == "Tea: yes"


async def test_capabilities_are_those_of_the_handshake(wire: Wire) -> None:
    client = await Durable.open(wire.key, capabilities={})
    presence.forget()
    answer = await client.call("ask", {"text": "Tea"})
    assert answer.error["code"] == -32021


# --- Cancelling -----------------------------------------------------------------------------------


async def test_a_call_is_cancelled_by_its_id_in_its_session_alone(durable: Durable, recorded: Any) -> None:
    shop.finished.clear()
    other = await Durable.open(durable.key)
    mine, text, others = durable.begin("hold", id=1), durable.begin("hold", id="1"), other.begin("hold", id=1)
    for call in (mine, text, others):
        await call.asked("notifications/progress")
    for unknown in (2, "", "2", -1):
        assert (await durable.cancel(unknown)).status == 202
    assert (await durable.cancel(1)).status == 202
    answer = await mine.wait()
    assert [message.get("method") for message in answer.messages] == ["notifications/progress"]
    assert not text.task.done()
    assert not others.task.done()
    await durable.cancel("1")
    await text.wait()
    assert not others.task.done()
    await other.cancel(1)
    await others.wait()
    await recorded()
    assert [call.outcome async for call in ToolCall.objects.filter(name="hold")] == ["cancelled"] * 3
    assert shop.finished == []


async def test_an_empty_id_names_the_call_that_has_it(durable: Durable) -> None:
    stream, mine, zero = await durable.get(), durable.begin("hold", id=""), durable.begin("hold", id=0)
    for call in (mine, zero):
        await call.asked("notifications/progress")
    await durable.cancel("")
    await mine.wait()
    assert not stream.task.done()
    assert not zero.task.done()
    await durable.cancel(0)
    await zero.wait()
    stream.leave()
    await stream.wait()


async def test_what_was_cancelled_before_it_said_anything_has_no_body(durable: Durable) -> None:
    call = durable.begin("wait", {"seconds": 5}, id=7)
    await until(lambda: ends._calls)
    await durable.cancel(7)
    answer = await call.wait()
    assert (answer.status, answer.body) == (202, b"")


async def test_a_cancelled_tool_changes_nothing(durable: Durable, alice: User, recorded: Any) -> None:
    shop.write_began.clear()
    shop.write_may_end.clear()
    call = durable.begin("held-write", id=7)
    await asyncio.to_thread(shop.write_began.wait, 5)
    await durable.cancel(7)
    answer = await call.wait()
    shop.write_may_end.set()
    assert (answer.status, answer.body) == (202, b"")
    await durable.call("manage-preferences", {"action": "set", "key": "after", "value": 1})
    assert [preference.key async for preference in alice.preferences.all()] == ["after"]
    await recorded()
    assert (await ToolCall.objects.aget(name="held-write")).outcome == "cancelled"


async def test_cancelling_while_the_client_is_asked_takes_the_question_back(durable: Durable) -> None:
    call = durable.begin("ask", {"text": "Tea"}, id=7)
    question = await call.asked()
    await durable.cancel(7)
    assert len((await call.wait()).messages) == 1
    await background_pool.run(lambda: None)  # behind what takes it back
    assert not await ServerRequest.objects.aexists()
    assert (await durable.accept(question["id"], sure=True)).status == 400


async def test_a_cancellation_names_a_request(durable: Durable) -> None:
    nothing: list[dict[str, Any] | None] = [None, {}, {"requestId": None}, {"requestId": True}, {"requestId": [1]}]
    for params in nothing:
        answer = await durable.notify("notifications/cancelled", params)
        assert (answer.status, answer.error["code"]) == (400, -32602), params


async def test_cancelling_what_is_being_answered_comes_too_late(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second response inside of the first would break the connection."""
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.1)
    monkeypatch.setattr(exchange, "KEEP_ALIVE_EVERY", 0.05)
    document = durable.open_post(durable.request("ping", id=7), reads=1)  # it takes the body, and no more
    stream = durable.open_post(durable.calling("count", {"to": 1}, id=7), reads=2)
    await document.wait_for("result")
    await stream.wait_for("result")
    await durable.cancel(7)
    await stream.wait()  # having given up on its reader
    assert (document.responses, stream.responses) == (1, 1)
    for call in (document, stream):
        assert call.answer.messages[-1]["id"] == 7
    document.task.cancel()


# --- Leaving --------------------------------------------------------------------------------------


async def test_leaving_cancels_in_2026_and_not_in_the_handshake_era(
    durable: Durable, wire: Wire, quick: None, recorded: Any
) -> None:
    shop.finished.clear()
    calls = [
        wire.open(wire.request("tools/call", {"name": "wait", "arguments": {"seconds": 0.1, "name": "2026"}})),
        durable.begin("wait", {"seconds": 0.1, "name": "2025"}),
    ]
    for call in calls:
        call.leave()
    for call in calls:
        assert (await call.wait()).body == b""
    assert shop.finished == ["2025"]
    await recorded()
    outcomes = {call.outcome async for call in ToolCall.objects.filter(name="wait")}
    assert outcomes == {"cancelled", "ok"}


async def test_who_left_is_not_asked_and_can_still_cancel(durable: Durable, quick: None) -> None:
    call = durable.begin("hold", id=7)
    await call.asked("notifications/progress")
    call.leave()
    await asyncio.sleep(0.05)  # some ticks
    assert not call.task.done()
    await durable.cancel(7)
    await call.wait()


# --- Ending ---------------------------------------------------------------------------------------


async def test_the_client_ends_its_session(durable: Durable, attached: None) -> None:
    other = await Durable.open(durable.key)
    others = other.begin("hold", id=3)
    plain, streamed = durable.begin("wait", {"seconds": 5}, id=1), durable.begin("hold", id=2)
    stream = await durable.get()
    for call in (streamed, others):
        await call.asked("notifications/progress")
    answer = await durable.delete()
    assert (answer.status, answer.body) == (204, b"")
    assert (await plain.wait()).status == 404
    for number, call in enumerate((plain, streamed), 1):
        assert (await call.wait()).messages[-1] == {"jsonrpc": "2.0", "id": number, "error": NOT_FOUND}
    assert (await stream.wait()).messages == []  # it is the reply to nothing, so nothing replies on it
    assert (await durable.delete()).error == NOT_FOUND
    assert await everything(durable) == await everything(durable.with_id("A" * 43))
    session = await row_of(durable)
    assert (session.end_reason, session.is_live) == ("by the client", False)
    assert not others.task.done()
    await other.cancel(3)
    await others.wait()


@pytest.mark.parametrize("is_told", [True, False])
async def test_an_operator_ends_sessions_of_both_eras(
    durable: Durable, wire: Wire, attached: None, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """At once where the bus tells; else when the sweep finds it."""
    if is_told:
        monkeypatch.setattr(ends, "look", lambda now: None)
    else:
        monkeypatch.setattr(bus, "publish", lambda event: None)
    calls = [
        durable.begin("wait", {"seconds": 5}),
        wire.open(wire.request("tools/call", {"name": "wait", "arguments": {"seconds": 5}})),
    ]
    await until(lambda: len(ends._calls) == 2)
    assert await identity_pool.run(lambda: Session.objects.all().end("by admin")) == 2
    for call in calls:
        answer = await call.wait()
        assert (answer.status, answer.error) == (404, NOT_FOUND)
    presence.forget()
    assert (await durable.ask("ping")).status == 404
    assert (await wire.call("echo", {"text": "x"})).text == "x"  # in a new session


async def test_of_two_who_end_it_at_once_one_did(durable: Durable) -> None:
    answers = await asyncio.gather(durable.delete(), durable.delete())
    assert sorted(answer.status for answer in answers) == [204, 404]


async def test_another_key_s_session_does_not_end_with_it(durable: Durable, alice: User) -> None:
    other = await durable_for(alice)
    await durable.delete()
    assert (await other.ask("ping")).result == {}


# --- Many at once ---------------------------------------------------------------------------------


async def test_ids_that_all_clients_use_are_no_one_s_but_their_own(
    alice: User, bob: User, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty clients of two users and both eras, all counting from 1, at once."""
    monkeypatch.setattr(limits, "MOST_AT_ONCE", 2000)
    keys = [await new_key(user) for user in (alice, bob)]
    durables = [await Durable.open(keys[number % 2]) for number in range(25)]
    wires = [Wire(keys[number % 2], {"name": f"client {number}", "version": "1"}) for number in range(25)]

    async def handshaker(client: Durable, name: str) -> None:
        asking = client.begin("ask", {"text": name}, id=41)
        echoes = [client.post(client.calling("echo", {"text": f"{name}.{n}"}, id=n)) for n in range(1, 41)]
        heard = await asyncio.gather(*echoes)
        assert [(each.messages[-1]["id"], each.text) for each in heard] == [
            (n, f"{name}.{n}") for n in range(1, 41)
        ]
        question = await asking.asked()
        assert (await client.accept(question["id"], sure=name.endswith("0"))).status == 202
        assert (await asking.wait()).text == f"{name}: {'yes' if name.endswith('0') else 'no'}"

    async def teller(client: Wire, name: str) -> None:
        def echo(number: int) -> dict[str, Any]:
            call = {"name": "echo", "arguments": {"text": f"{name}.{number}"}}
            return client.request("tools/call", call) | {"id": number}

        heard = await asyncio.gather(*(client.post(echo(number)) for number in range(1, 41)))
        assert [(each.messages[-1]["id"], each.text) for each in heard] == [
            (n, f"{name}.{n}") for n in range(1, 41)
        ]

    async with asyncio.TaskGroup() as together:
        for number in range(25):
            together.create_task(handshaker(durables[number], f"durable {number}"))
            together.create_task(teller(wires[number], f"stateless {number}"))
    await nothing_left()
