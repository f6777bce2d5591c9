"""A room over a browser's socket: who is let in, what is told, what may be done."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from collab_app.live import live_rooms
from collab_app.models import Room
from collab_app.room_view import view_of
from sessions_app.models import User
from sessions_app.pool import tool_pool
from tests.bounds import bounded
from tests.collab_app.pages import PageOf, begin
from tests.socket import Line
from tests.wire import until


@pytest.fixture
async def page(attached: None, room: Room, alice: User) -> AsyncIterator[PageOf]:
    page = await PageOf.open(alice, room)
    yield page
    await page.leave()


async def test_a_page_begins_with_what_there_is(room: Room, alice: User, bob: User) -> None:
    await tool_pool.run(lambda: [room.post(bob, f"{number}") for number in range(60)])
    await tool_pool.run(lambda: room.state.set("plan", [1], bob))
    page = await PageOf.open(alice, room)
    assert page.told["room"] == {
        "id": "design", "name": "Design", "by_invitation": False, "created_at": room.created_at.isoformat(),
    }  # fmt: skip
    assert (page.told["you"], page.told["last_read"]) == ("alice", 0)
    assert page.sequences == list(range(11, 61)), "the newest"
    assert page.state == {"plan": [1]}
    assert [each["username"] for each in page.told["members"]] == ["alice", "bob"]
    assert page.told["here"] == [{"username": "alice", "client": ""}]
    earlier = (await page.do("earlier", before=11))["done"]
    assert [message["sequence"] for message in earlier] == list(range(1, 11))
    await page.leave()


async def test_what_is_said_is_told_to_all_who_look(page: PageOf, room: Room, bob: User) -> None:
    other = await PageOf.open(bob, room)
    said = await page.do("post", text="Hello <b>bob</b>", key="k1")
    assert said["done"]["sequence"] == 1
    again = await page.do("post", text="Hello <b>bob</b>", key="k1")
    assert again["done"]["sequence"] == 1
    for each in (page, other):
        await each.until(lambda each=each: each.texts)
        assert each.texts == ["Hello <b>bob</b>"]
    await other.leave()


async def test_a_page_that_was_away_reads_on(room: Room, alice: User, bob: User) -> None:
    await tool_pool.run(lambda: [room.post(bob, f"{number}") for number in range(250)])
    page = await PageOf.open(alice, room, after=7)
    await page.until(lambda: page.sequences and page.sequences[-1] == 250)
    assert page.sequences == list(range(8, 251)), "all, in frames of a hundred"
    await page.leave()


async def test_state_is_set_and_removed_at_the_version_that_was_seen(page: PageOf, room: Room) -> None:
    done = (await page.do("set", key="plan", value={"a": 1}, version=0))["done"]
    await page.until(lambda: page.state == {"plan": {"a": 1}})
    refused = (await page.do("set", key="plan", value=2, version=0))["error"]
    assert (refused["status"], refused["value"], refused["version"]) == (409, {"a": 1}, done["version"])
    assert "done" in await page.do("remove", key="plan", version=done["version"])
    await page.until(lambda: page.told.get("keys") == [])
    assert page.state == {}


async def test_a_page_that_comes_while_the_room_is_read_is_shown_its_state(
    page: PageOf, room: Room, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await page.do("set", key="plan", value=1)
    await page.until(lambda: page.state == {"plan": 1})
    is_read, may_go_on = threading.Event(), threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        view = view_of(*args, **kwargs)
        is_read.set()
        may_go_on.wait(5)
        return view

    monkeypatch.setattr("collab_app.live.view_of", slow)
    await tool_pool.run(lambda: room.post(bob, "Hello"))
    await asyncio.to_thread(is_read.wait, 5)
    opening = asyncio.create_task(PageOf.open(bob, room))
    await until(lambda: len(live_rooms._rooms[room.pk].followers) == 2)
    may_go_on.set()
    other = await opening
    await other.until(lambda: other.state == {"plan": 1})
    assert other.texts == ["Hello"]
    await other.leave()


async def test_members_are_invited_and_come_and_go(page: PageOf, room: Room, bob: User, dora: User) -> None:
    assert "done" in await page.do("invite", username="dora")
    await page.until(lambda: {"username": "dora", "role": "invited"} in page.told["members"])
    await tool_pool.run(lambda: room.join(dora))
    await page.until(lambda: {"username": "dora", "role": "member"} in page.told["members"])
    assert (await page.do("invite", username="nobody"))["error"]["status"] == 404
    other = await PageOf.open(bob, room)
    assert (await other.do("put-out", username="alice"))["error"]["status"] == 403
    await page.until(lambda: {"username": "bob", "client": ""} in page.told["here"])
    assert "done" in await page.do("put-out", username="bob")
    assert await other.line.over() == (4403, "You are not in this room any more")
    await page.until(lambda: {"username": "bob", "client": ""} not in page.told["here"])


async def test_whoever_leaves_is_out(page: PageOf, room: Room) -> None:
    assert "done" in await page.do("leave")
    assert (await page.line.over())[0] == 1000
    assert [each async for each in room.memberships.present().values_list("user__username", flat=True)] == ["bob"]


async def test_how_far_was_read_is_kept(page: PageOf, room: Room, alice: User, bob: User) -> None:
    await tool_pool.run(lambda: room.post(bob, "Hello"))
    await page.until(lambda: page.texts)
    await page.do("read", sequence=1)
    assert (await room.memberships.aget(user=alice)).last_read == 1


NOT_UNDERSTOOD = (
    "{", "[]", '{"id": 1}', '{"id": 1, "do": "destroy"}', '{"id": "1", "do": "leave"}',
    '{"id": 1, "do": "post", "text": 1}', '{"id": 1, "do": "post", "text": "a", "as": "bob"}',
)  # fmt: skip


@pytest.mark.parametrize("frame", NOT_UNDERSTOOD)
async def test_what_is_not_understood_is_refused_and_the_page_goes_on(page: PageOf, frame: str) -> None:
    page.line.send(frame)
    refused = await page.line.message(lambda message: "error" in message)
    assert refused["error"]["status"] == 400
    assert "done" in await page.do("post", text="Still here")


async def test_a_limit_is_said(page: PageOf) -> None:
    with bounded(message_bytes=3):
        refused = (await page.do("post", text="Hello"))["error"]
    assert (refused["status"], refused["limit"], refused["most"]) == (413, "message-bytes", 3)


async def signed_out(user: User) -> None:
    def change() -> None:
        user.set_password("another horse")
        user.save()

    await tool_pool.run(change)


async def inactive(user: User) -> None:
    def change() -> None:
        user.is_active = False
        user.save()

    await tool_pool.run(change)


@pytest.mark.parametrize("over", [signed_out, inactive])
async def test_a_page_ends_with_its_sign_in(page: PageOf, alice: User, over: Any) -> None:
    await over(alice)
    assert (await page.line.over())[0] == 4401


async def test_a_page_ends_with_its_permission(page: PageOf, alice: User) -> None:
    await tool_pool.run(alice.groups.clear)
    assert (await page.line.over())[0] == 4403


async def test_a_page_ends_with_the_room(page: PageOf, room: Room, alice: User, bob: User) -> None:
    await tool_pool.run(room.close)
    assert await page.line.over() == (4403, "This room was closed")
    await tool_pool.run(lambda: Room.objects.start(bob, "Another", "design"))
    assert (await begin(alice, "design")).answer.status == 404


async def test_an_outsider_s_room_is_an_unknown_room(room: Room, dora: User, charlie: User) -> None:
    answers = []
    for user, public_id in ((dora, "design"), (dora, "nowhere"), (charlie, "design")):
        line = await begin(user, public_id)
        answers.append((line.answer.status, line.answer.body.replace(public_id.encode(), b"ID")))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": None}, 403),
        ({"host": "evil.example"}, 421),
        ({"cookie": None}, 401),
        ({"cookie": "sessionid=made-up"}, 401),
        ({"cookie": None, "authorization": "Bearer x"}, 401),
    ],
)
async def test_other_sites_and_nobody_are_refused(
    room: Room, alice: User, headers: dict[str, str | None], status: int
) -> None:
    assert (await begin(alice, "design", **headers)).answer.status == status


async def test_a_page_that_does_not_say_what_to_follow_is_closed(room: Room, alice: User) -> None:
    line: Line = await begin(alice, "design")
    line.send({"do": "post", "id": 1, "text": "Hello"})
    assert (await line.over())[0] == 1008


async def test_a_page_that_is_gone_is_not_here_any_more(page: PageOf, room: Room, bob: User) -> None:
    other = await PageOf.open(bob, room)
    again = await PageOf.open(bob, room)
    await page.until(lambda: {"username": "bob", "client": ""} in page.told["here"])
    await other.leave()
    assert {"username": "bob", "client": ""} in page.told["here"], "in another tab"
    await again.leave()
    await page.until(lambda: {"username": "bob", "client": ""} not in page.told["here"])


async def test_whoever_sends_nothing_but_nonsense_is_closed(page: PageOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collab_app.room_socket.MOST_REFUSED", 20)
    for _ in range(30):
        page.line.send("{")
    assert (await page.line.over())[0] == 1008


async def test_a_page_that_reads_slowly_catches_up_at_its_own_pace(
    room: Room, alice: User, bob: User, attached: None
) -> None:
    """It holds up nobody, and is not thrown out for what it had missed."""
    await tool_pool.run(lambda: [room.post(bob, f"{number}") for number in range(1, 251)])
    quick = await PageOf.open(bob, room)
    line = await begin(alice, "design")
    line.stop_reading()
    line.send({"do": "follow", "after": 0})
    await quick.do("post", text="now")
    await quick.until(lambda: quick.texts[-1] == "now")
    line.read_on()
    slow = PageOf(line)
    await slow.until(lambda: slow.texts[-1:] == ["now"])
    assert slow.sequences == list(range(1, 252))
    for each in (quick, slow):
        await each.leave()
