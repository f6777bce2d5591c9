"""Questions that nobody answers: how many there may be, and what becomes of them when the server stops."""

import pytest

from project.asgi import end_streams
from sessions_app.models import ServerRequest, User, server_request
from sessions_app.pool import background_pool
from sessions_app.transport import asking
from tests.sessions_app.conftest import durable_for
from tests.wire import Answer, Durable


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


async def test_a_server_that_stops_does_not_wait_for_people(
    durable: Durable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "LAST_REPLIES", 0.0)
    call = durable.begin("ask", {"text": "Tea"})
    await call.asked()
    end_streams()
    answer = await call.wait()
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
