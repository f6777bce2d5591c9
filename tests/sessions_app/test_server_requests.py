"""The server asks its client in the midst of a call, and the reply arrives in a POST of its own."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.models import ServerRequest, User, server_request
from sessions_app.pool import background_pool
from sessions_app.transport import carrier, conversation, http_carrier
from sessions_app.transport.asking import waiting
from sessions_app.transport.bus import bus
from sessions_app.transport.events import ReplyArrived
from sessions_app.transport.response import respond
from tests.sessions_app.conftest import durable_for
from tests.shop import tools as shop
from tests.wire import HANDSHAKE_VERSIONS, Durable, Exchange, Wire
from tools_app.models import ToolCall

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


async def asked(client: Durable, name: str = "ask", **arguments: Any) -> tuple[Exchange, str]:
    """A call that waits for its client, and the id of the question."""
    call = client.begin(name, arguments or {"text": "Tea"})
    question = await call.asked()
    request_id: str = question["id"]
    return call, request_id


@pytest.fixture
def asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reply wakes the call that waits for it."""
    publish = bus.publish
    monkeypatch.setattr(bus, "publish", lambda event: isinstance(event, ReplyArrived) or publish(event))


# --- Questions and replies ------------------------------------------------------------------------


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
async def test_a_person_is_asked_and_answers(wire: Wire, version: str) -> None:
    client = await Durable.open(wire.key, version)
    call = client.begin("ask", {"text": "Tea"}, id=7)
    question = await call.asked()
    assert question["params"]["message"] == "Really?"
    assert question["params"]["requestedSchema"]["properties"] == {"sure": {"title": "Sure", "type": "boolean"}}
    assert len(question["id"]) * 6 >= 128
    answer = await client.accept(question["id"], sure=True)
    assert (answer.status, answer.body) == (202, b"")
    answer = await call.wait()
    assert answer.is_stream
    assert answer.messages[-1]["id"] == 7
    assert answer.text == "Tea: yes"


async def test_a_person_may_decline_or_turn_away(durable: Durable) -> None:
    for action in ("decline", "cancel"):
        call, question = await asked(durable)
        assert (await durable.reply(question, {"action": action})).status == 202
        result = (await call.wait()).result
        assert result["isError"] is True
        assert action in result["content"][0]["text"]


async def test_a_client_may_reply_with_an_error(durable: Durable) -> None:
    call, question = await asked(durable)
    assert (await durable.refuse(question, -1, "The window was closed")).status == 202
    assert (await call.wait()).error == {"code": -1, "message": "The window was closed"}


async def test_a_reply_that_is_no_answer_fails_the_call_alone(
    durable: Durable, caplog: pytest.LogCaptureFixture
) -> None:
    wrong: list[dict[str, Any]] = [
        {},
        {"action": "perhaps"},
        {"action": "accept"},
        {"action": "accept", "content": {"sure": "maybe"}},
    ]
    for result in wrong:
        call, question = await asked(durable)
        assert (await durable.reply(question, result)).status == 202
        assert (await call.wait()).result["isError"] is True, result
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_model_is_asked(durable: Durable) -> None:
    call = durable.begin("sample")
    question = await call.asked("sampling/createMessage")
    assert question["params"]["messages"][0]["content"]["text"] == "Tea?"
    content = {"type": "text", "text": "Certainly"}
    await durable.reply(question["id"], {"role": "assistant", "model": "m", "content": content})
    assert (await call.wait()).text == "Certainly"


async def test_the_client_s_roots_are_asked_for(durable: Durable) -> None:
    call = durable.begin("roots")
    question = await call.asked("roots/list")
    assert "params" not in question
    await durable.reply(question["id"], {"roots": [{"uri": "file:///home/alice"}]})
    assert (await call.wait()).text == "file:///home/alice"


async def test_who_takes_no_stream_is_not_asked(durable: Durable) -> None:
    for name, arguments in (("ask", {"text": "Tea"}), ("ask-briefly", {}), ("sample", {}), ("roots", {})):
        answer = await durable.call(name, arguments, headers={"accept": "application/json"})
        assert (answer.status, answer.is_stream, answer.error["code"]) == (200, False, -32600)
    assert not await ServerRequest.objects.aexists()


async def test_who_cannot_answer_is_not_asked(wire: Wire) -> None:
    client = await Durable.open(wire.key, capabilities={})
    for name, arguments in (("ask", {"text": "Tea"}), ("ask-briefly", {}), ("sample", {}), ("roots", {})):
        assert (await client.call(name, arguments)).error["code"] == -32021, name
    assert not await ServerRequest.objects.aexists()


@pytest.mark.parametrize(
    ("declared", "modes"),
    [({}, "form"), ({"form": {}}, "form"), ({"url": {}}, "url"), ({"form": {}, "url": {}}, "form url")],
)
async def test_a_person_is_asked_in_the_ways_that_the_client_has(
    wire: Wire, declared: dict[str, Any], modes: str
) -> None:
    client = await Durable.open(wire.key, capabilities={"elicitation": declared})
    for mode in ("form", "url"):
        call = client.begin("ask-by", {"mode": mode})
        if mode in modes.split():
            await client.reply((await call.asked())["id"], {"action": "decline"})
            assert (await call.wait()).text == "decline"
        else:
            needed = (await call.wait()).error["data"]
            assert needed == {"requiredCapabilities": {"elicitation": {mode: {}}}}


async def test_two_calls_of_one_session_have_questions_of_their_own(durable: Durable) -> None:
    first, one = await asked(durable, text="Tea")
    second, two = await asked(durable, text="Coffee")
    await durable.accept(two, sure=False)
    assert (await second.wait()).text == "Coffee: no"
    assert not first.task.done()
    await durable.accept(one, sure=True)
    assert (await first.wait()).text == "Tea: yes"


# --- Whose reply it is ----------------------------------------------------------------------------


async def test_nobody_else_can_reply(durable: Durable, alice: User, bob: User) -> None:
    call, question = await asked(durable)
    others = [await durable_for(bob), await durable_for(alice), await Durable.open(durable.key)]
    for other in others:
        refused = await other.accept(question, sure=True)
        unknown = await other.accept("A" * 22, sure=True)
        assert refused == unknown
        assert (refused.status, refused.error["code"], refused.messages[0]["id"]) == (400, -32600, None)
    for key in (others[0].key, others[1].key, None):  # in this session, with what it does not belong to
        assert (await durable.with_key(key).accept(question, sure=True)).status in (404, 401)
    await durable.accept(question, sure=False)
    assert (await call.wait()).text == "Tea: no"


async def test_a_reply_to_nothing_is_refused(durable: Durable) -> None:
    nothing: list[object] = ["", "x" * 10_000, 1, 0, None, True, 1.5, {}, []]
    for request_id in nothing:
        answer = await durable.reply(request_id, {})
        assert (answer.status, answer.error["code"]) == (400, -32600), request_id


async def test_the_first_reply_stands(durable: Durable, asleep: None) -> None:
    call, question = await asked(durable)
    assert (await durable.accept(question, sure=True)).status == 202
    assert (await durable.accept(question, sure=False)).status == 202
    assert (await durable.refuse(question, -1, "no")).status == 202
    waiting._wake((await ServerRequest.objects.aget()).pk)
    assert (await call.wait()).text == "Tea: yes"
    assert (await durable.accept(question, sure=False)).status == 202  # its client may not have heard


async def test_a_reply_is_committed_before_it_is_acknowledged(
    durable: Durable, asleep: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, question = await asked(durable)
    rows: list[ServerRequest] = []

    async def after_a_look(send: Any, status: int, body: bytes | None, headers: Any) -> None:
        rows.append(await ServerRequest.objects.aget())
        await respond(send, status, body, headers)

    monkeypatch.setattr(http_carrier, "respond", after_a_look)
    await durable.accept(question, sure=True)
    (row,) = rows
    assert row.replied_at is not None
    assert json.loads(row.reply) == {"result": {"action": "accept", "content": {"sure": True}}}
    waiting._wake(row.pk)
    await call.wait()


async def test_what_a_person_answered_is_not_kept(durable: Durable) -> None:
    call, question = await asked(durable)
    await durable.accept(question, sure=True)
    await call.wait()
    row = await ServerRequest.objects.aget()
    assert (row.reply, row.request_id, row.method) == ("", question, "elicitation/create")
    assert row.replied_at is not None


async def test_an_answer_that_its_call_did_not_live_to_take_is_not_kept(durable: Durable, asleep: None) -> None:
    call, question = await asked(durable)
    await durable.accept(question, sure=True)
    await durable.cancel(1)
    await call.wait()
    await background_pool.run(lambda: None)  # behind what clears it away
    assert not await ServerRequest.objects.exclude(reply="").aexists()


# --- Time -----------------------------------------------------------------------------------------


async def test_the_call_s_time_stands_still_while_a_person_thinks(durable: Durable, quick: None) -> None:
    call, question = await asked(durable, "ask-briefly", then=0)
    await asyncio.sleep(0.25)  # the tool has 0.15 s
    await durable.accept(question, sure=True)
    assert (await call.wait()).text == "accept"


async def test_the_call_s_time_goes_on_when_the_reply_is_there(
    durable: Durable, quick: None, recorded: Any
) -> None:
    call, question = await asked(durable, "ask-briefly", then=5)
    await durable.accept(question, sure=True)
    assert (await call.wait()).text == "Stopped after 0.15 s."
    await recorded()
    assert (await ToolCall.objects.aget()).outcome == "timeout"


async def test_nobody_is_waited_for_forever(durable: Durable, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (conversation, server_request):
        monkeypatch.setattr(module, "LIFETIME", timedelta(seconds=0.1))
    call, question = await asked(durable)
    answer = await call.wait()
    assert answer.messages[-2]["method"] == "notifications/cancelled"
    assert answer.messages[-2]["params"]["requestId"] == question
    assert answer.error["code"] == -32001
    assert (await durable.accept(question, sure=True)).status == 400
    assert not await ServerRequest.objects.aexists()


async def test_a_reply_that_comes_too_late_is_refused(durable: Durable) -> None:
    """Its call is over, though nobody took the question back: a process that was killed does not."""
    call, question = await asked(durable)
    await ServerRequest.objects.aupdate(expires_at=timezone.now())
    assert (await durable.accept(question, sure=True)).status == 400
    assert (await ServerRequest.objects.aget()).reply == ""
    await durable.cancel(1)
    await call.wait()


async def test_a_reply_of_which_nobody_was_told_is_found(durable: Durable, asleep: None, quick: None) -> None:
    call, question = await asked(durable)
    assert (await durable.accept(question, sure=True)).status == 202
    assert (await call.wait()).text == "Tea: yes"


async def test_a_reply_that_is_quicker_than_the_call_is_found(
    durable: Durable, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It arrives while the question is still being written, so the call does not wait for it yet."""
    monkeypatch.setattr(carrier, "SLOWEST_READER", 0.1)
    call = durable.open_post(durable.calling("ask-briefly"), reads=1)
    question = await call.asked()
    assert not waiting._waiting
    assert (await durable.accept(question["id"], sure=True)).status == 202
    await call.wait()
    assert (await ServerRequest.objects.aget()).reply == ""


async def test_a_reply_reaches_a_call_whose_client_dropped_the_connection(durable: Durable, quick: None) -> None:
    shop.finished.clear()
    call, question = await asked(durable, "ask-briefly", then=0)
    call.leave()
    assert (await durable.accept(question, sure=True)).status == 202
    await call.wait()
    assert (await ServerRequest.objects.aget()).replied_at is not None
