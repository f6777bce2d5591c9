"""Messages in the admin: found by text, author and room, page by page, and nobody's to change."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from collab_app.models import Membership, Message, Room
from sessions_app.models import User
from tests.collab_app.rooms import say
from tests.control_room import ControlRoom, column, list_of, make_superuser, page_of

pytestmark = pytest.mark.alike

LIST = list_of(Message)


@pytest.fixture
def control(db_for_threads: None) -> ControlRoom:
    return ControlRoom(make_superuser())


def found(page: str) -> list[int]:
    """The numbers of the messages of a list, in its order."""
    return [int(number) for number in column(page, "sequence")]


def test_the_list_says_who_said_what_and_where(control: ControlRoom, room: Room, alice: User) -> None:
    message = room.post(alice, "Hello\nthere " + "x" * 200, client="Claude Code")
    page = control.read(LIST)
    for text in (
        f"{message.posted_at:%Y-%m-%d %H:%M:%S}",
        "Design (design)",
        "alice",
        "Claude Code",
        "Hello\\nthere xxx",
    ):
        assert text in page, text
    assert "x" * 100 not in page
    assert f'href="{page_of(room)}"' in page
    whole = control.read(page_of(message))
    assert "Hello<br>there " + "x" * 200 in whole


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("ello", [1]),
        ("HELLO", [1]),
        ("there you", [2]),
        ("bob", [2]),
        ("bo", []),
        ("design", [3, 2, 1]),
        ("%", []),
        ("", [3, 2, 1]),
    ],
)
def test_messages_are_searched(
    control: ControlRoom, room: Room, alice: User, bob: User, text: str, numbers: list[int]
) -> None:
    room.post(alice, "Hello")
    room.post(bob, "are there you")
    room.post(alice, "Goodnight", key="secret-key")
    assert found(control.read(LIST, q=text)) == numbers


def test_a_room_s_messages_are_listed_by_themselves(control: ControlRoom, room: Room, alice: User) -> None:
    room.post(alice, "Hello")
    other = Room.objects.start(alice, "Other", "other")
    other.post(alice, "elsewhere")
    page = control.read(LIST, room__id__exact=room.pk)
    assert found(page) == [1]
    assert "elsewhere" not in page
    assert "By room" in page
    for wrong in ("0", "x", "-1", "9" * 30, "1,2", ""):
        assert found(control.read(LIST, room__id__exact=wrong)) == [], wrong


@pytest.mark.parametrize(
    "lookup",
    ["idempotency_key", "idempotency_key__startswith", "text__contains", "author__password__startswith",
     "room__name__contains", "room__public_id", "posted_at__year", "id__in", "client"],
)  # fmt: skip
def test_nobody_guesses_by_filtering(control: ControlRoom, lookup: str) -> None:
    assert control.get(LIST, **{lookup: "1"}).status_code == 400


@pytest.mark.parametrize(
    "lookup",
    ["messages__idempotency_key__startswith", "messages__text__contains", "creator__password__startswith",
     "memberships__user__password__startswith"],
)  # fmt: skip
def test_nor_by_way_of_the_room(control: ControlRoom, lookup: str) -> None:
    for model, path in ((Room, lookup), (Membership, f"room__{lookup}")):
        assert control.get(list_of(model), **{path: "1"}).status_code == 400


def test_keys_are_on_no_page_and_in_no_search(control: ControlRoom, room: Room, alice: User) -> None:
    message = room.post(alice, "Hello", key="key-of-the-author")
    for path in (LIST, page_of(message), page_of(room), list_of(Room)):
        assert "key-of-the-author" not in control.read(path)
    assert found(control.read(LIST, q="key-of-the-author")) == []


# --- Page by page ---


def test_pages_follow_each_other_to_the_oldest(control: ControlRoom, room: Room, alice: User) -> None:
    say(room, alice, 250)
    say(Room.objects.start(alice, "Other"), alice, 10)
    seen: list[int] = []
    query: str | None = f"?room__id__exact={room.pk}&q=said"
    while query is not None:
        page = control.read(LIST + query)
        seen += found(page)
        older = re.search(r'<a href="([^"]*)">Older</a>', page)
        query = older[1].replace("&amp;", "&") if older else None
    assert seen == list(range(250, 0, -1))
    assert "Newest" in page


@pytest.mark.parametrize("place", ["x", "-", "1-1", "9" * 30, "\x00"])
def test_what_is_no_place_is_the_first_page(control: ControlRoom, room: Room, alice: User, place: str) -> None:
    room.post(alice, "Hello")
    assert found(control.read(LIST, p=place)) == [1]


@pytest.mark.parametrize("query", [{}, {"o": "-3.1"}, {"all": ""}, {"_facets": "True"}, {"q": "said"}])
def test_nothing_is_counted_and_nothing_skipped(
    control: ControlRoom, room: Room, alice: User, query: dict[str, Any]
) -> None:
    say(room, alice, 150)
    control.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        page = control.read(LIST, **query)
    assert len(found(page)) == 100
    asked = [query["sql"] for query in queries.captured_queries if 'FROM "collab_message"' in query["sql"]]
    assert len(asked) == 1
    assert "COUNT(" not in asked[0]
    assert "OFFSET" not in asked[0]
    assert "idempotency_key" not in asked[0]
    assert len(queries) <= 6
