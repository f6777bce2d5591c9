"""Questions that nobody answers: how many there may be, and what becomes of them when the server stops."""

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from project.asgi import end_streams
from sessions_app.models import ServerRequest, User, server_request
from sessions_app.models.server_request import ServerRequestQuerySet
from sessions_app.pool import background_pool
from sessions_app.transport import asking, carrier
from sessions_app.transport.asking import waiting
from sessions_app.transport.bus import bus
from sessions_app.transport.events import ReplyArrived
from tests.sessions_app.conftest import durable_for, row_of
from tests.wire import Answer, Durable, until


async def ask_and_answer(client: Durable) -> Answer:
    call = client.begin("ask", {"text": "Tea"})
    await client.accept((await call.asked())["id"], sure=True)
    return await call.wait()


async def test_they_are_limited_for_each_credential_in_all_its_sessions(
    durable: Durable, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_request, "MOST_OPEN", 2)
    clients = [durable, await Durable.open(durable.key)]
    calls = [client.begin("ask", {"text": "Tea"}) for client in clients]
    questions = [(await call.asked())["id"] for call in calls]
    refused = await durable.call("ask", {"text": "Tea"})
    assert "wait for an answer" in refused.error["message"]
    assert (await ask_and_answer(await durable_for(bob))).text == "Tea: yes"
    for client, call, question in zip(clients, calls, questions, strict=True):
        await client.accept(question, sure=True)
        assert (await call.wait()).text == "Tea: yes"
    assert (await ask_and_answer(durable)).text == "Tea: yes"


async def test_a_server_that_stops_goes_on_hearing_replies(durable: Durable) -> None:
    call = durable.begin("ask", {"text": "Tea"})
    question = (await call.asked())["id"]
    end_streams()
    await durable.accept(question, sure=True)
    assert (await call.wait()).text == "Tea: yes"


async def test_it_waits_for_people_until_shortly_before_it_cancels_calls(
    durable: Durable, settings: Settings
) -> None:
    settings.STOP_GRACE = asking.LAST_WORDS + 0.4
    call = durable.begin("ask", {"text": "Tea"})
    await call.asked()
    began = time.monotonic()
    end_streams()
    answer = await call.wait()
    assert 0.4 <= time.monotonic() - began < 0.4 + asking.LAST_WORDS
    assert "call again" in answer.error["message"]
    assert [message.get("method") for message in answer.messages][1:-1] == ["notifications/cancelled"]
    assert "call again" in (await durable.call("ask", {"text": "Tea"})).error["message"]


async def test_a_question_that_was_withdrawn_leaves_nothing(durable: Durable) -> None:
    call = durable.begin("ask", {"text": "Tea"}, id=5)
    await call.asked()
    await durable.cancel(5)
    await call.wait()
    await background_pool.run(lambda: None)  # behind it
    assert not await ServerRequest.objects.open().aexists()


async def behind_the_rest() -> None:
    await background_pool.run(lambda: None)


async def test_a_call_that_ends_while_it_asks_leaves_no_question(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was cancelled while its question was being written down."""
    ask, began, may_end = ServerRequestQuerySet.ask, threading.Event(), threading.Event()

    def slowly(*args: Any) -> ServerRequest:
        began.set()
        may_end.wait(5)
        return ask(*args)

    monkeypatch.setattr(ServerRequestQuerySet, "ask", slowly)
    call = durable.begin("ask", {"text": "Tea"}, id=5)
    await asyncio.to_thread(began.wait, 5)
    await durable.cancel(5)
    await call.wait()
    may_end.set()
    await behind_the_rest()  # now it is there
    async with asyncio.timeout(5):
        while await ServerRequest.objects.aexists():
            await behind_the_rest()


async def test_a_client_that_does_not_read_its_question_is_asked_nothing(
    durable: Durable, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.1)
    call = durable.open_post(durable.calling("ask", {"text": "Tea"}, id=5), reads=1)
    await call.asked()
    await durable.cancel(5)
    await call.wait()
    await behind_the_rest()
    assert not await ServerRequest.objects.aexists()


async def test_those_of_a_session_that_ended_do_not_count(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_request, "MOST_OPEN", 1)
    lost = await Durable.open(durable.key)
    await ServerRequest.objects.acreate(session=await row_of(lost), method="elicitation/create")
    assert "wait for an answer" in (await durable.call("ask", {"text": "Tea"})).error["message"]
    await lost.delete()
    assert (await ask_and_answer(durable)).text == "Tea: yes"


async def test_who_waits_keeps_the_question_open_and_who_was_killed_does_not(
    durable: Durable, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_request, "LEASE", timedelta(seconds=0.2))
    monkeypatch.setattr(asking, "RENEW_EVERY", 0.02)
    left = await ServerRequest.objects.acreate(session=await row_of(durable), method="elicitation/create")
    call = durable.begin("ask", {"text": "Tea"})
    question = await call.asked()
    await until(lambda: left.expires_at < timezone.now())
    assert [asked.request_id async for asked in ServerRequest.objects.open()] == [question["id"]]
    await durable.accept(question["id"], sure=True)
    assert (await call.wait()).text == "Tea: yes"


async def test_a_reply_that_was_acknowledged_counts_though_the_server_stops(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that took it could not tell the one that waits."""
    publish = bus.publish
    monkeypatch.setattr(bus, "publish", lambda event: isinstance(event, ReplyArrived) or publish(event))
    monkeypatch.setattr(asking, "LOOK_EVERY", 60)
    call = durable.begin("ask", {"text": "Tea"})
    question = await call.asked()
    await until(lambda: waiting._waiting)
    assert (await durable.accept(question["id"], sure=True)).status == 202
    waiting._give_up()
    assert (await call.wait()).text == "Tea: yes"


async def test_a_wake_up_without_a_reply_is_no_reply(durable: Durable) -> None:
    call = durable.begin("ask", {"text": "Tea"})
    question = await call.asked()
    await until(lambda: waiting._waiting)
    (pk,) = waiting._waiting
    bus.publish(ReplyArrived(pk))
    await behind_the_rest()
    assert not call.task.done()
    await durable.accept(question["id"], sure=True)
    assert (await call.wait()).text == "Tea: yes"
