"""Rooms over REST."""

import json
from typing import Any

import pytest

from collab_app.models import Room
from sessions_app.limits import Limit
from sessions_app.models import User
from tests.bounds import bounded
from tests.conftest import key_for
from tests.rest import Rest, browser

pytestmark = pytest.mark.alike


@pytest.fixture
def mine(alice: User) -> Rest:
    return Rest(key_for(alice))


@pytest.fixture
def his(bob: User) -> Rest:
    return Rest(key_for(bob))


def test_a_room_from_making_it_to_leaving_it(mine: Rest, his: Rest) -> None:
    made = mine.post("rooms/", {"name": "Design", "id": "design"})
    assert made.status == 201
    assert made.data["members"] == [{"username": "alice", "role": "owner"}]
    assert made.data["here"] == [{"username": "alice", "client": "REST API"}]
    assert his.post("rooms/design/join/").status == 200
    said = his.post("rooms/design/messages/", {"text": "Hello"})
    assert (said.status, said.data["sequence"], said.data["author"], said.data["client"]) == (
        201, 1, "bob", "REST API",
    )  # fmt: skip
    [listed] = mine.get("rooms/").data["results"]
    assert listed.pop("active_at") > made.data["created_at"]
    assert listed == {"id": "design", "name": "Design", "by_invitation": False, "participants": 2, "unread": 1}
    assert [each["username"] for each in mine.get("rooms/design/").data["members"]] == ["alice", "bob"]
    assert his.post("rooms/design/leave/").status == 204
    assert his.get("rooms/design/").status == 404
    assert mine.post("rooms/design/leave/").status == 204
    assert mine.get("rooms/").data["results"] == []


def test_a_room_without_an_id_gets_one(mine: Rest) -> None:
    assert len(mine.post("rooms/", {"name": "Design"}).data["id"]) == 20


def test_an_existing_id_is_refused(mine: Rest, room: Room) -> None:
    refused = mine.post("rooms/", {"name": "Mine now", "id": "design"})
    assert (refused.status, "already" in refused.problem["detail"]) == (409, True)


def test_history_in_pages(mine: Rest, room: Room, bob: User) -> None:
    for number in range(1, 121):
        room.post(bob, f"{number}")
    newest = mine.get("rooms/design/messages/").data
    assert ([each["sequence"] for each in newest["results"]], newest["has_more"]) == (list(range(71, 121)), False)
    seen, after = [], 0
    while True:
        page = mine.get(f"rooms/design/messages/?after={after}&limit=50").data
        seen += [each["sequence"] for each in page["results"]]
        if not page["has_more"]:
            break
        after = seen[-1]
    assert seen == list(range(1, 121))
    assert mine.get("rooms/design/messages/?after=-1").status == 400
    assert mine.get("rooms/design/messages/?after=120").data == {"results": [], "has_more": False}


@pytest.mark.parametrize("key", ['"k1"', "k1"])
def test_what_is_sent_again_is_said_once(mine: Rest, room: Room, key: str) -> None:
    for _ in range(2):
        said = mine.post("rooms/design/messages/", {"text": "Hello"}, headers={"idempotency-key": key})
        assert said.data["sequence"] == 1
    other = mine.post("rooms/design/messages/", {"text": "Goodbye"}, headers={"idempotency-key": key})
    assert other.status == 409


def test_shared_state_is_set_at_a_version(mine: Rest, room: Room, bob: User) -> None:
    path = "rooms/design/state/a/b ä/".replace(" ", "%20").replace("ä", "%C3%A4")
    assert mine.get(path).status == 404
    put = mine.put(path, {"value": {"x": [None]}, "expected_version": 0})
    assert (put.status, put.data["key"], put.data["value"]) == (200, "a/b ä", {"x": [None]})
    newer = room.state.set("a/b ä", 2, bob)
    refused = mine.put(path, {"value": 3, "expected_version": put.data["version"]})
    assert refused.status == 409
    assert (refused.problem["value"], refused.problem["version"]) == (2, newer.version)
    assert mine.get(path).data["changed_by"] == "bob"
    assert [each["key"] for each in mine.get("rooms/design/state/").data["results"]] == ["a/b ä"]
    assert mine.delete(f"{path}?expected_version={put.data['version']}").status == 409
    assert mine.delete(f"{path}?expected_version={newer.version}").status == 204
    assert mine.delete(path).status == 404


def test_members_are_invited_and_removed(mine: Rest, his: Rest, dora: User) -> None:
    mine.post("rooms/", {"name": "Board", "id": "board", "by_invitation": True})
    assert his.post("rooms/board/join/").status == 404
    invited = mine.post("rooms/board/members/", {"username": "bob"})
    assert (invited.status, invited.data["results"][1]) == (201, {"username": "bob", "role": "invited"})
    [waiting] = his.get("room-invitations/").data["results"]
    assert waiting["id"] == "board"
    assert his.post("rooms/board/join/").status == 200
    [listed] = his.get("rooms/").data["results"]
    assert listed.keys() == waiting.keys(), "alike in both lists"
    assert his.delete("rooms/board/members/alice/").status == 403
    assert mine.delete("rooms/board/members/bob/").status == 204
    assert mine.delete("rooms/board/members/nobody/").status == 404
    assert his.get("rooms/board/").status == 404
    assert mine.post("rooms/board/members/", {"username": "dora"}).status == 201
    assert Rest(key_for(dora)).post("rooms/board/leave/").status == 204  # declined


def test_a_member_takes_the_room_along(mine: Rest, room: Room, bob: User) -> None:
    room.post(bob, "Hello")
    exported = mine.get("rooms/design/export/")
    about, said = (json.loads(line) for line in exported.body.decode().splitlines())
    assert (about["name"], said["text"]) == ("Design", "Hello")
    assert exported.headers["content-disposition"].startswith('attachment; filename="room-design-')
    assert b"Hello" in mine.get("rooms/design/export/?format=markdown").body
    assert mine.get("rooms/design/export/?format=html").status == 400
    assert mine.get("rooms/nowhere/export/").status == 404


def test_a_browser_s_words_have_no_client(room: Room, alice: User) -> None:
    assert browser(alice).post("rooms/design/messages/", {"text": "Hello"}).data["client"] == ""
    assert browser(alice, csrf=False).post("rooms/design/messages/", {"text": "Hello"}).status == 403


def test_limits_are_named(mine: Rest, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with bounded(message_bytes=3):
        refused = mine.post("rooms/design/messages/", {"text": "Hello"})
    assert (refused.status, refused.problem["limit"], refused.problem["most"]) == (413, "message-bytes", 3)
    monkeypatch.setattr("collab_app.limits.POSTS", Limit("posts", 1, 60))
    refused = mine.post("rooms/design/messages/", {"text": "Hello"})
    assert (refused.status, refused.problem["limit"]) == (429, "posts")
    assert int(refused.headers["retry-after"]) > 0
    assert room.messages.count() == 0


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "rooms/", {"name": ""}),
    ("POST", "rooms/", {"name": "Design", "id": "a/b"}),
    ("POST", "rooms/", {"name": "Design", "owner": "bob"}),
    ("POST", "rooms/", {"id": "design2"}),
    ("POST", "rooms/design/messages/", {"text": 1}),
    ("POST", "rooms/design/messages/", {"text": " "}),
    ("POST", "rooms/design/messages/", {"text": "a\x00"}),
    ("POST", "rooms/design/messages/", {"text": "a", "author": "bob"}),
    ("PUT", "rooms/design/state/plan/", {}),
    ("PUT", "rooms/design/state/plan/", {"value": 1, "expected_version": -1}),
    ("PUT", f"rooms/design/state/{'k' * 129}/", {"value": 1}),
    ("POST", "rooms/design/members/", {"username": 7}),
]


@pytest.mark.parametrize(("method", "path", "data"), WRITES)
def test_what_is_wrong_is_refused_and_changes_nothing(
    mine: Rest, room: Room, method: str, path: str, data: Any
) -> None:
    assert mine.ask(method, path, data).problem["status"] == 400
    assert Room.objects.get().revision == room.revision
    assert room.messages.count() == 0


NOWHERE = [("GET", "state/a%00b/"), ("DELETE", "state/a%00b/"), ("DELETE", "members/a%00b/")]


@pytest.mark.parametrize(("method", "path"), NOWHERE)
def test_nul_is_nothing(mine: Rest, room: Room, method: str, path: str) -> None:
    assert mine.ask(method, f"rooms/design/{path}").status == 404
