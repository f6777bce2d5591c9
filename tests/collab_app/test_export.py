"""A room as a file: all of it, in batches, and harmless to look at."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collab_app import export
from collab_app.export import FORMATS, code, quoted
from collab_app.models import Room
from sessions_app.models import User
from tests.collab_app.rooms import say

pytestmark = pytest.mark.alike

HOSTILE = (
    "a\n> b\n\n# A heading\n", "```\ncode", "~~~", "<script>alert(1)</script>", "<!-- the rest", "</blockquote>",
    "[alice]: https://evil.example", "![](https://evil.example/seen)", "a\r# b", "a\u2028# b", "a\x0c# b",
    "a\x85# b",
    "\n\n# b", "    # b", "\t# b", "---", "***", "a\n===", "1. b", "\x1b[31m", "\u202e", "`", "``` `", "\\",
    "> > >",
    "a\r\n\r\n**#7** 2026-01-01 00:00:00, `bob`:\r\n\r\n>     forged",
)  # fmt: skip


def text_of(room: Room, format: str) -> str:
    return "".join(FORMATS[format].text(room))


def lines_of(room: Room) -> list[dict[str, Any]]:
    text = text_of(room, "jsonl")
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_hold_all_of_a_room(room: Room, alice: User, bob: User) -> None:
    said = [room.post(alice, "Hello"), room.post(bob, "Höi\n\u2028", client="Claude Code", key="secret")]
    state = room.state.set("plan", {"b": 1e22, "a": [None]}, bob)
    room.leave(bob)
    first, *messages = lines_of(room)
    room.refresh_from_db()
    assert first == {
        "id": "design", "name": "Design", "by_invitation": False, "creator": "alice",
        "created_at": room.created_at.isoformat(), "active_at": room.active_at.isoformat(), "closed_at": None,
        "last_sequence": 2, "revision": room.revision, "members": first["members"], "state": [state.as_dict()],
    }  # fmt: skip
    assert [(member["username"], member["status"]) for member in first["members"]] == [
        ("alice", "owner"), ("bob", "left")
    ]  # fmt: skip
    assert first["members"][1]["left_at"] is not None
    assert list(first["state"][0]["value"]) == ["b", "a"]
    assert messages == [message.as_dict() for message in said]
    assert "secret" not in text_of(room, "jsonl") + text_of(room, "markdown")


def test_markdown_is_for_a_reader(room: Room, alice: User, bob: User) -> None:
    first = room.post(alice, "Hello\n\n  there")
    state = room.state.set("plan", {"a": 1}, bob, client="Claude Code")
    second = room.post(bob, "Hi", client="Claude Code")
    text = text_of(room, "markdown")
    assert text.startswith("# `Design`\n\nRoom `design`, open to who knows its id; begun by `alice` ")
    assert re.search(
        r"## Members\n\n- `alice`: owner, joined [0-9: -]+\n- `bob`: member, joined [0-9: -]+\n\n", text
    )
    assert (
        f"## Shared state\n\n- `plan`, version {state.version}, changed by `bob` by `Claude Code`\n\n"
        '>     {\n>       "a": 1\n>     }\n\n'
    ) in text
    assert text.endswith(
        f"## Messages\n\n**#1** {first.posted_at:%Y-%m-%d %H:%M:%S}, `alice`:\n\n>     Hello\n>\n>       there\n\n"
        f"**#2** {second.posted_at:%Y-%m-%d %H:%M:%S}, `bob` by `Claude Code`:\n\n>     Hi\n\n"
    )


def test_of_an_empty_room_it_says_that_there_is_nothing(alice: User) -> None:
    room = Room.objects.start(alice, "Empty", by_invitation=True)
    text = text_of(room, "markdown")
    assert "by invitation" in text
    assert "## Shared state\n\nNone.\n\n## Messages\n\nNone.\n\n" in text
    assert len(lines_of(room)) == 1


def test_a_former_user_has_no_name(room: Room, alice: User, bob: User) -> None:
    room.post(alice, "Farewell")
    room.state.set("plan", 1, alice)
    alice.delete()
    first, message = lines_of(room)
    assert (first["creator"], first["state"][0]["changed_by"], message["author"]) == (None, None, None)
    text = text_of(room, "markdown")
    assert text.count("a former user") == 3
    assert "alice" not in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_gets_out_of_its_place(room: Room, alice: User, hostile: str) -> None:
    room.post(alice, "before")
    room.post(alice, f"x{hostile}", client=hostile)
    room.state.set(hostile, {"value": hostile}, alice)
    Room.objects.filter(pk=room.pk).update(name=hostile)
    text = text_of(room, "markdown")
    assert not any(char in text for char in "\r\x1b\u202e\u2028\x0c\x85\t")
    name = code(hostile)
    ours = re.compile(
        rf"|# {re.escape(name)}|Room `design`, .*|## (Members|Shared state|Messages)|- `(alice|bob)`: .*"
        rf"|- {re.escape(code(hostile))}, version 2, changed by `alice`"
        rf"|\*\*#[12]\*\* [0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9:]{{8}}, `alice`( by .+)?:|>|>     .+"
    )
    lines = text.split("\n")
    assert [line for line in lines if ours.fullmatch(line) is None] == []
    assert sum(line.startswith("**#") for line in lines) == 2
    # Code begins after a blank line, and ends with one: no line of another kind is next to it.
    for before, line in pairwise(lines):
        assert line.startswith(">") == before.startswith(">") or "" in (before, line)
    assert lines_of(room)[2]["text"] == f"x{hostile}"


@pytest.mark.parametrize("text", ["a", "`", "a`b", "``a", "`` ``` `", "a\n`"])
def test_code_is_closed_by_its_own_fence_alone(text: str) -> None:
    found = re.fullmatch(r"(`+)( ?)(.*?)\2\1", code(text))
    assert found is not None
    assert found[1] not in re.findall("`+", found[3])


def test_a_quote_keeps_every_line() -> None:
    assert quoted("a\r\nb\rc\n\n\td") == ">     a\n>     b\n>     c\n>\n>         d\n"


def test_it_is_read_in_batches_while_it_leaves(room: Room, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 10)
    say(room, alice, 25)
    for format in FORMATS.values():
        pieces = format.text(room)
        # The room, its members and state; then each batch, and that there is no other.
        for asked in (3, 1, 1, 1):
            with CaptureQueriesContext(connection) as queries:
                piece = next(pieces)
            assert len(queries) == asked
            assert piece.count("said ") == {3: 0}.get(asked, piece.count("said "))
            assert not connection.in_atomic_block
        assert next(pieces, None) is None


def test_it_ends_with_what_was_newest_when_it_began(room: Room, alice: User) -> None:
    say(room, alice, 3)
    pieces = FORMATS["jsonl"].text(room)
    first = next(pieces)
    room.refresh_from_db()
    room.post(alice, "later")
    assert json.loads(first)["last_sequence"] == 3
    assert "".join(pieces).count("\n") == 3
