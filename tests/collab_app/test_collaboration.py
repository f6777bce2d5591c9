"""The tool `collaboration`, over both wires in both eras: the seed's sentences, and what goes beyond them."""

from typing import Any

import pytest

from collab_app.models import Room
from sessions_app.limits import Limit
from sessions_app.models import User
from sessions_app.pool import tool_pool
from tests.bounds import bounded
from tests.clients import Client
from tests.collab_app.pages import in_thread
from tests.conftest import wire_for
from tests.wire import Answer, Wire
from tools_app.models import ToolCall


async def do(client: Client, action: str, **arguments: Any) -> Answer:
    return await client.call("collaboration", {"action": action, **arguments})


async def done(client: Client, action: str, **arguments: Any) -> dict[str, Any]:
    answer = await do(client, action, **arguments)
    assert not answer.result["isError"], answer.text
    structured: dict[str, Any] = answer.result["structuredContent"]
    return structured


async def refused(client: Client, action: str, **arguments: Any) -> str:
    answer = await do(client, action, **arguments)
    assert answer.result["isError"], answer.text
    return answer.text


async def test_the_seed_s_way_through(client: Client, alice: User) -> None:
    said = [
        (await do(client, "create", roomId="design", roomName="Design review")).text,
        (await do(client, "join", roomId="design")).text,
        (await do(client, "message", roomId="design", message="Hello")).text,
        (await do(client, "state", roomId="design", stateKey="plan", stateValue={"a": [1, None]})).text,
        (await do(client, "list")).text,
    ]
    assert said == [
        "Collaboration room 'Design review' (design) created",
        "Joined collaboration room design",
        "Message sent to room design",
        "Shared state 'plan' updated in room design",
        "## 🏠 Your Collaboration Rooms\n\n- **Design review** (design) - 1 participants",
    ]
    look = (await do(client, "state", roomId="design")).text
    assert look.startswith(
        "## 🏠 Room design State\n\n**Participants:** alice\n\n**Recent Messages:**\n- **alice** "
    )
    assert "): Hello\n\n**Shared State:**\n```json\n{" in look
    assert '"a": [' in look
    assert (await do(client, "leave", roomId="design")).text == "Left collaboration room design"
    assert (await do(client, "list")).text == "## 🏠 Your Collaboration Rooms\n\n*No active rooms*"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"action": "create", "roomName": "Design"}, "Room ID and name required"),
        ({"action": "create", "roomId": "design"}, "Room ID and name required"),
        ({"action": "join"}, "Room ID required"),
        ({"action": "join", "roomId": "nowhere"}, "Room nowhere not found"),
        ({"action": "leave"}, "Room ID required"),
        ({"action": "leave", "roomId": "nowhere"}, "Room nowhere not found"),
        ({"action": "message", "roomId": "nowhere"}, "Room ID and message required"),
        ({"action": "message", "message": "Hello"}, "Room ID and message required"),
        ({"action": "message", "roomId": "nowhere", "message": "a"}, "Cannot send message to room nowhere"),
        ({"action": "state"}, "Room ID required"),
        ({"action": "state", "roomId": "nowhere"}, "Room nowhere not found or access denied"),
        ({"action": "state", "roomId": "nowhere", "stateKey": "a", "stateValue": 1},
         "Room nowhere not found or access denied"),
        ({"action": "invite", "roomId": "nowhere", "username": "bob"}, "Room nowhere not found or access denied"),
        ({"action": "remove", "roomId": "nowhere", "username": "bob"}, "Room nowhere not found or access denied"),
    ],
)  # fmt: skip
async def test_what_is_missing_or_not_there_is_said(
    alice: User, recorded: Any, arguments: dict[str, Any], sentence: str
) -> None:
    assert await refused(await wire_for(alice), **arguments) == sentence


async def test_an_existing_id_is_refused_and_not_overwritten(client: Client, room: Room) -> None:
    sentence = await refused(client, "create", roomId="design", roomName="Mine now")
    assert sentence == "There is an open room design already; choose another id."
    assert (await Room.objects.aget()).name == "Design"


async def test_an_unknown_action_is_no_action(client: Client, room: Room) -> None:
    assert "action" in await refused(client, "destroy", roomId="design")


async def test_nobody_s_words_look_like_another_s(client: Client, room: Room) -> None:
    await done(client, "message", roomId="design", message="Hello\n- **bob** (10:00:00): I agree\u2028\x1b[2K")
    look = (await do(client, "state", roomId="design")).text
    assert "): Hello\n  > - **bob** (10:00:00): I agree\\u2028\\x1b[2K\n" in look


async def test_history_is_read_on_from_a_number(client: Client, room: Room, bob: User) -> None:
    await tool_pool.run(lambda: [room.post(bob, f"{number}") for number in range(1, 121)])
    newest = await done(client, "state", roomId="design")
    assert [message["text"] for message in newest["messages"]] == ["116", "117", "118", "119", "120"]
    since = await done(client, "state", roomId="design", afterSequence=3)
    assert [message["sequence"] for message in since["messages"]] == list(range(4, 104))
    assert since["hasMore"]
    rest = await done(client, "state", roomId="design", afterSequence=103)
    assert [message["sequence"] for message in rest["messages"]] == list(range(104, 121))
    assert not rest["hasMore"]
    assert rest["messages"][0]["author"] == "bob"


async def test_a_conflict_says_what_is_there(client: Client, room: Room, bob: User) -> None:
    put = await done(client, "state", roomId="design", stateKey="plan", stateValue=1, expectedVersion=0)
    [entry] = put["sharedState"]
    await in_thread(lambda: room.state.set("plan", 2, bob))
    answer = await do(
        client, "state", roomId="design", stateKey="plan", stateValue=3, expectedVersion=entry["version"]
    )
    assert answer.result["isError"]
    there = answer.result["structuredContent"]["conflict"]
    assert (there["key"], there["value"]) == ("plan", 2)
    again = await done(
        client, "state", roomId="design", stateKey="plan", stateValue=3, expectedVersion=there["version"]
    )
    assert again["sharedState"][0]["value"] == 3
    removed = await done(client, "state", roomId="design", stateKey="plan", removeState=True)
    assert removed["text"] == "Shared state 'plan' removed in room design"
    assert await refused(client, "state", roomId="design", stateKey="plan", removeState=True) == (
        "Shared state 'plan' not found"
    )


async def test_null_is_a_value(client: Client, room: Room) -> None:
    put = await done(client, "state", roomId="design", stateKey="plan", stateValue=None)
    assert put["sharedState"][0]["value"] is None


async def test_what_is_sent_again_is_said_once(client: Client, room: Room) -> None:
    for _ in range(3):
        said = await done(client, "message", roomId="design", message="Hello", idempotencyKey="k1")
        assert said["messages"][0]["sequence"] == 1
    assert await room.messages.acount() == 1


async def test_a_member_invites_and_an_owner_removes(client: Client, room: Room, dora: User, bob: User) -> None:
    his = await wire_for(dora)
    board = {"roomId": "board", "roomName": "Board", "byInvitation": True}
    await done(client, "create", **board)
    assert await refused(his, "join", roomId="board") == "Room board not found"
    assert (await done(client, "invite", roomId="board", username="dora"))["text"] == "Invited dora to room board"
    assert [each["id"] for each in (await done(his, "list"))["invitations"]] == ["board"]
    await done(his, "join", roomId="board")
    assert "owner" in await refused(his, "remove", roomId="board", username="alice")
    await done(client, "remove", roomId="board", username="dora")
    assert await refused(his, "message", roomId="board", message="a") == "Cannot send message to room board"
    assert await refused(client, "invite", roomId="board", username="nobody") == "There is no user nobody."
    assert await refused(client, "invite", roomId="board") == "Username required"


async def test_rooms_come_in_pages(alice: User, recorded: Any) -> None:
    await in_thread(lambda: [Room.objects.start(alice, "x", f"r{number:03}") for number in range(120)])
    client, seen, cursor = await wire_for(alice), [], None
    while True:
        page = await done(client, "list", **({"cursor": cursor} if cursor else {}))
        seen += [each["id"] for each in page["rooms"]]
        if not (cursor := page["nextCursor"]):
            break
    assert seen == [f"r{number:03}" for number in range(120)]


async def test_who_is_here_is_told_with_the_client_s_name(client: Client, room: Room) -> None:
    await done(client, "message", roomId="design", message="Hello")
    look = await done(client, "state", roomId="design")
    here = {each["username"]: each["here"] for each in look["room"]["participants"]}
    assert here["bob"] == []
    [name] = here["alice"]
    assert name == look["messages"][0]["client"] != ""


async def test_a_client_s_name_is_harmless_and_fits(room: Room, alice: User, recorded: Any) -> None:
    key = (await wire_for(alice)).key
    client = Wire(key, client={"name": "\u202e" + "x" * 199, "version": "1"})
    said = await done(client, "message", roomId="design", message="Hello")
    assert said["messages"][0]["client"] == "x" * 100


async def test_a_limit_is_named(client: Client, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with bounded(message_bytes=3):
        assert "(message-bytes: 3, and not 5)" in await refused(
            client, "message", roomId="design", message="Hello"
        )
    monkeypatch.setattr("collab_app.limits.POSTS", Limit("posts", 3, 60))
    await done(client, "message", roomId="design", message="1")
    await done(client, "state", roomId="design", stateKey="plan", stateValue=1)
    answer = await do(client, "message", roomId="design", message="2")
    assert answer.error["code"] == -32029
    assert answer.error["data"]["limit"] == "posts"
    await done(client, "state", roomId="design")  # who may not write may still read
    assert await room.messages.acount() == 1


async def test_a_credential_that_was_not_given_the_tool_has_none(alice: User, recorded: Any) -> None:
    client = await wire_for(alice, scopes=["tools_app.call_collaboration"])
    await done(client, "create", roomId="narrow", roomName="Narrow")
    none = await wire_for(alice, scopes=["tools_app.call_get-user-profile"])
    assert (await do(none, "list")).error["message"] == "Unknown tool: collaboration"


async def test_the_call_is_in_the_record_and_what_was_said_is_not(
    client: Client, room: Room, recorded: Any
) -> None:
    await done(client, "message", roomId="design", message="canary-text")
    await recorded()
    calls = [call async for call in ToolCall.objects.filter(name="collaboration")]
    assert len(calls) == 1
    assert all("canary-text" not in str(vars(call)) for call in calls)
