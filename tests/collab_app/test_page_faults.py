"""What goes wrong around a page's socket: a removal at the worst moment, no database, no wake-up, odd headers."""

import json
from typing import Any

import pytest
from django.contrib.sessions.models import Session as SignIn
from django.db import OperationalError

from collab_app.exceptions import RoomNotFound
from collab_app.live import live_rooms
from collab_app.models import Membership, Message, Room
from collab_app.permissions import MEET
from collab_app.room_socket import RoomSocket
from project.asgi import end_streams
from sessions_app.credentials import browser
from sessions_app.models import User
from sessions_app.pool import identity_pool
from sessions_app.transport import sockets as sockets_module
from tests.collab_app.pages import PageOf, begin, cookie_of, in_thread, line_to
from tests.collab_app.rooms import say
from tests.socket import Line
from tests.wire import until

pytestmark = pytest.mark.usefixtures("attached")


# --- Who may look ---


def remove_with_a_word(room: Room, user: User, by: User) -> None:
    room.remove(user, by=by)
    room.post(by, "Among us")


def remove_behind_our_back(room: Room, user: User, by: User) -> None:
    """As another process whose wake-up was lost."""
    Membership.objects.filter(room=room, user=user).update(left_at="2026-01-01T00:00Z")
    room.post(by, "Among us")


@pytest.mark.parametrize("remove", [remove_with_a_word, remove_behind_our_back])
async def test_what_is_said_after_a_removal_is_not_shown_to_who_was_removed(
    room: Room, alice: User, bob: User, remove: Any
) -> None:
    for _ in range(5):
        page = await PageOf.open(bob, room)
        await in_thread(remove, room, bob, alice)
        assert (await page.line.over())[0] == 4403
        # All that was said before he came back the last time, and not the last.
        assert page.texts.count("Among us") == room.last_sequence - 1
        await in_thread(lambda: (room.invite(bob, alice), room.join(bob)))


async def test_whoever_catches_up_is_looked_after_as_all_others(room: Room, alice: User, bob: User) -> None:
    await in_thread(say, room, alice, 1000)
    line = await begin(bob, "design")
    line.stop_reading()
    line.send({"do": "follow", "after": 0})
    line.read_one()
    await line._until(lambda: line.messages)
    await in_thread(SignIn.objects.all().delete)
    [follower] = live_rooms._rooms[room.pk].followers
    await until(lambda: _is_ending(follower))
    line.read_on()
    assert (await line.over())[0] == 4401
    assert len([each for frame in line.messages for each in frame.get("messages", ())]) <= 200


def _is_ending(follower: Any) -> bool:
    closing = follower.end.__self__._closing
    return bool(closing.has_begun)


async def test_whoever_was_removed_before_he_followed_is_told_nothing(room: Room, alice: User, bob: User) -> None:
    line = await begin(bob, "design")
    await in_thread(room.remove, bob, by=alice)
    line.send({"do": "follow", "after": None})
    assert (await line.over())[0] == 4403
    assert line.messages == []


async def test_a_room_that_is_gone_before_it_is_followed_is_no_crash(room: Room, bob: User) -> None:
    line = await begin(bob, "design")
    await in_thread(room.delete)
    line.send({"do": "follow", "after": None})
    assert (await line.over())[0] == 4403


async def test_a_page_of_a_room_does_nothing_in_the_next_of_its_id(room: Room, alice: User, bob: User) -> None:
    """Whoever is in both is in two rooms."""
    page = await PageOf.open(bob, room)
    again = await in_thread(renewed, room, alice, bob)
    number = page.ask("post", text="Hello")
    await page.line._until(lambda: page.line.close)
    assert not [message for message in page.line.messages if message.get("id") == number and "done" in message]
    assert await again.messages.acount() == 0
    told = (await PageOf.open(bob, again)).told["room"]
    assert told["created_at"] == again.created_at.isoformat() != room.created_at.isoformat()


async def test_what_is_asked_of_a_room_is_not_done_in_the_next_of_its_id(
    room: Room, alice: User, bob: User
) -> None:
    """Also in the moment before the page is closed."""
    anybody: Any = None
    principal = browser.principal(bob, "", frozenset({MEET}))
    socket = RoomSocket(room, anybody, principal, anybody, anybody)
    assert await in_thread(socket._current, principal) == room
    await in_thread(renewed, room, alice, bob)
    with pytest.raises(RoomNotFound):
        await in_thread(socket._current, principal)


def renewed(room: Room, owner: User, member: User) -> Room:
    room.close()
    again = Room.objects.start(owner, "Another", "design")
    again.join(member)
    return again


# --- What is not there ---


async def test_a_lost_wake_up_costs_half_a_second(
    room: Room, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await PageOf.open(bob, room)
    monkeypatch.setattr("sessions_app.transport.bus.Bus.publish", lambda *args: None)
    await in_thread(room.post, alice, "Hello")
    await page.until(lambda: page.texts == ["Hello"])
    await in_thread(lambda: room.state.set("plan", 1, alice))
    await page.until(lambda: page.state == {"plan": 1})
    await page.leave()


async def test_a_moment_without_the_database_closes_a_page_that_comes_back(
    room: Room, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("away")

    line = await begin(alice, "design")
    with monkeypatch.context() as patched:
        patched.setattr("collab_app.room_socket.RoomSocket._snapshot", away)
        line.send({"do": "follow", "after": None})
        assert (await line.over())[0] == 1013
    page = await PageOf.open(alice, room)
    with monkeypatch.context() as patched:
        patched.setattr("collab_app.models.Room.post", away)
        assert (await page.do("post", text="Hello", key="k"))["error"]["status"] == 503
    assert "done" in await page.do("post", text="Hello", key="k")
    with monkeypatch.context() as patched:
        patched.setattr("collab_app.live.view_of", away)
        await page.do("post", text="While it is away", key="l")
    await page.until(lambda: page.texts == ["Hello", "While it is away"])
    await page.leave()


async def test_a_page_is_told_that_the_server_stops(room: Room, alice: User) -> None:
    page = await PageOf.open(alice, room)
    end_streams()
    assert (await page.line.over())[0] == 1012
    assert (await begin(alice, "design")).answer.status == 503


# --- How much ---


async def test_a_page_that_reads_nothing_holds_little(room: Room, alice: User, bob: User) -> None:
    def fill() -> None:
        said = (Message(room=room, sequence=n, author=alice, text="x" * 16_000) for n in range(1, 101))
        Message.objects.bulk_create(said)
        Room.objects.filter(pk=room.pk).update(last_sequence=100)

    await in_thread(fill)
    page = await PageOf.open(bob, room, after=100)
    page.line.stop_reading()
    for _ in range(70):
        page.ask("earlier", before=101)
    [follower] = live_rooms._rooms[room.pk].followers
    for number in range(200):
        await in_thread(room.post, alice, f"{number}" + "y" * 16_000)
        if _is_ending(follower):
            break
    assert _is_ending(follower)
    assert sum(map(len, follower._pending)) < 3 * 2**20
    page.line.read_on()
    assert (await page.line.over())[0] == 1013


async def test_a_user_has_only_so_many_sockets(room: Room, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets_module, "MOST_OF_ONE", 1)
    page = await PageOf.open(alice, room)
    assert (await begin(alice, "design")).answer.status == 429
    await page.leave()


# --- What is sent ---


@pytest.mark.parametrize("path", ["design\x00", "\x00", "", "/", "a/b", "x" * 5000, "\ufffd", "design/x"])
async def test_what_is_no_room_s_path_is_an_unknown_room_s(room: Room, alice: User, path: str) -> None:
    assert (await begin(alice, path)).answer.status == 404


@pytest.mark.parametrize("before", ['a={"b":1}', "a[b]=c", "path=1", "a b=c", "x", "é=1", "a=é", "=x"])
async def test_cookies_are_read_as_the_page_reads_them(room: Room, alice: User, before: str) -> None:
    cookie = await identity_pool.run(lambda: cookie_of(alice))
    line = await line_to("design", {"cookie": f"{before}; {cookie}"}).opened()
    assert line.answer.status == 101
    await line.leave()


async def test_cookies_may_come_in_two_headers(room: Room, alice: User) -> None:
    cookie = await identity_pool.run(lambda: cookie_of(alice))
    headers = {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    two = [(b"cookie", b"a=b"), (b"cookie", cookie.encode())]
    line = await Line([*raw, *two], subprotocols=(), path="/ws/rooms/design").opened()
    assert line.answer.status == 101
    await line.leave()


@pytest.mark.parametrize(
    "cookie",
    ['sessionid="\\000aaaaaaaaaaaaaaaaaaaaa"', "sessionid=", "sessionid=" + "x" * 7000, "sessionid=:;",
     "sessionid", 'sessionid="\\377\\377aaaaaaaaaa"'],
)  # fmt: skip
async def test_what_is_no_sign_in_is_nobody_s(room: Room, cookie: str) -> None:
    assert (await line_to("design", {"cookie": cookie}).opened()).answer.status == 401


@pytest.mark.parametrize(
    "frame", [{"do": "set", "key": "a\x00", "value": 1}, {"do": "remove", "key": "a\x00"},
              {"do": "invite", "username": "a\x00"}, {"do": "put-out", "username": "a\x00"},
              {"do": "post", "text": "a", "key": "k" * 200}],
)  # fmt: skip
async def test_what_no_database_takes_is_refused(room: Room, alice: User, frame: dict[str, Any]) -> None:
    page = await PageOf.open(alice, room)
    page.line.send(json.dumps({"id": 1, **frame}))
    refused = await page.line.message(lambda message: "error" in message)
    assert refused["error"]["status"] in (400, 404)
    await page.leave()
