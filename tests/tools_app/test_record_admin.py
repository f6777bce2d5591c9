"""The record in the admin: found by what is known of a call, page by page, and nobody's to change."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app.models import ApiKey, User
from tests.control_room import (
    ControlRoom,
    cells,
    form_for,
    history_of,
    list_of,
    make_staff,
    make_superuser,
    page_of,
)
from tests.tools_app.calls import HOSTILE, SPELLED_OUT, make_call, make_calls
from tools_app.models import ToolCall

LIST = list_of(ToolCall)
HOUR = timedelta(hours=1)


@pytest.fixture
def operator(db_for_threads: None) -> User:
    return make_superuser()


@pytest.fixture
def room(operator: User) -> ControlRoom:
    return ControlRoom(operator)


def found(page: str) -> list[int]:
    """The rows of a list, in its order."""
    return [int(pk) for pk in re.findall(r"/toolcall/([0-9]+)/change/", "".join(cells(page, "when")))]


def test_the_list_says_what_happened(room: ControlRoom) -> None:
    call = make_call(outcome="crashed", error_id="abcd1234")
    page = room.read(LIST)
    assert found(page) == [call.pk]
    when = f"{timezone.localtime(call.started_at):%Y-%m-%d %H:%M:%S}.{call.started_at.microsecond // 1000:03}"
    for text in (when, "Tool", "echo", "alice", "pytest 1", "Crashed abcd1234", "1.2"):
        assert text in page


def test_a_page_says_all_that_is_kept(room: ControlRoom) -> None:
    page = room.read(page_of(make_call(arguments_digest="d" * 32, arguments_size=84, ip="2001:db8::7")))
    for text in ("d" * 32, "84", "api-key:1", "#1", "pytest 1", "2001:db8::7"):
        assert text in page


FILTERS: tuple[tuple[dict[str, str], dict[str, Any]], ...] = (
    ({"outcome": "crashed"}, {"outcome": "crashed"}),
    ({"outcome": "failed"}, {"outcome": "timeout"}),
    ({"kind": "prompt"}, {"kind": "prompt"}),
    ({"tool": "order"}, {"name": "order"}),
    ({"user": "bob"}, {"username": "bob"}),
    ({"client": "cursor"}, {"client_name": "cursor"}),
    ({"until": "2020-01-01T00:00"}, {"started_at": timezone.now() - timedelta(days=4000)}),
    ({"since": "2100-01-01T00:00:00"}, {"started_at": timezone.now() + timedelta(days=40_000)}),
    ({"q": "api-key:7"}, {"credential": "api-key:7"}),
    ({"q": " bob "}, {"username": "bob"}),
    ({"user": "bob", "outcome": "failed", "q": "order"}, {"username": "bob", "outcome": "error", "name": "order"}),
)


@pytest.mark.parametrize(("query", "details"), FILTERS, ids=lambda value: ",".join(value))
def test_the_list_is_narrowed(room: ControlRoom, query: dict[str, str], details: dict[str, Any]) -> None:
    usual, wanted = make_call(), make_call(**details)
    assert set(found(room.read(LIST))) == {usual.pk, wanted.pk}
    assert found(room.read(LIST, **query)) == [wanted.pk]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"since": "yesterday"}, "Enter a valid date/time."),
        ({"since": "0001-01-01T00:00+23:00"}, "Ensure this value is greater than or equal to 1970"),
        ({"until": "9999-12-31T23:59-23:00"}, "Ensure this value is less than or equal to 2200"),
        ({"tool": "a\x00b"}, "Null characters are not allowed."),
        ({"user": "x" * 151}, "at most 150 characters"),
    ],
)
def test_a_filter_that_makes_no_sense_says_so_and_finds_nothing(
    room: ControlRoom, query: dict[str, str], said: str
) -> None:
    make_call()
    page = room.read(LIST, **query)
    assert said in page
    assert found(page) == []


def test_an_unknown_choice_finds_nothing(room: ControlRoom) -> None:
    make_call()
    for query in ({"outcome": "fine"}, {"kind": "thing"}):
        assert found(room.read(LIST, **query)) == []


@pytest.mark.parametrize(
    "lookup", ["name__contains", "arguments_digest__startswith", "username", "id__in", "started_at__year", "x"]
)
def test_nobody_filters_by_what_has_no_index(room: ControlRoom, lookup: str) -> None:
    assert room.get(LIST, **{lookup: "1"}).status_code == 400


def test_the_filters_keep_each_other(room: ControlRoom) -> None:
    page = room.read(LIST, outcome="failed", user="bob", q="order", p="1-1")
    details = page.partition('class="details"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="outcome" value="failed">' in details
    assert '<input type="hidden" name="q" value="order">' in details
    assert 'name="p"' not in details
    assert 'name="user" value="bob"' in details
    search = page.partition('id="changelist-search"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="user" value="bob">' in search


def test_names_that_are_registered_are_offered(room: ControlRoom) -> None:
    assert '<option value="get-user-profile"></option>' in room.read(LIST)


# --- Page by page ---


def test_pages_follow_each_other_to_the_oldest(room: ControlRoom) -> None:
    make_calls(250)
    make_call(HOUR, outcome="error")
    seen: list[int] = []
    query: str | None = "?outcome=ok"
    sizes = []
    while query is not None:
        page = room.read(LIST + query)
        sizes.append(len(found(page)))
        seen += found(page)
        older = re.search(r'<a href="([^"]*)">Older</a>', page)
        query = older[1].replace("&amp;", "&") if older else None
    assert sizes == [100, 100, 50]
    assert seen == sorted(set(seen), reverse=True)
    assert '<a href="?outcome=ok">Newest</a>' in page


@pytest.mark.parametrize("place", ["2", "x", "-", "1-", "9999999999999999999-1", "1-9999999999999999999", "\x00"])
def test_what_is_no_place_is_the_first_page(room: ControlRoom, place: str) -> None:
    call = make_call()
    assert found(room.read(LIST, p=place)) == [call.pk]


def test_places_at_the_ends_of_time_are_places(room: ControlRoom) -> None:
    call = make_call()
    assert found(room.read(LIST, p=f"{'9' * 16}-{'9' * 18}")) == [call.pk]
    assert found(room.read(LIST, p="0-0")) == []


@pytest.mark.parametrize("query", [{}, {"o": "-3.1"}, {"all": ""}, {"_facets": "True"}, {"q": "echo"}])
def test_nothing_is_counted_and_nothing_skipped(room: ControlRoom, query: dict[str, str]) -> None:
    make_calls(150)
    room.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        page = room.read(LIST, **query)
    assert len(found(page)) == 100
    asked = [query["sql"] for query in queries.captured_queries if "tools_tool_call" in query["sql"]]
    assert asked
    assert all("COUNT(" not in sql and "OFFSET" not in sql and "LIMIT" in sql for sql in asked), asked
    assert asked[-1].partition("ORDER BY")[2].split(" LIMIT")[0].count("DESC") == 2


# --- Whose it is ---


def test_nobody_adds_changes_or_deletes(room: ControlRoom) -> None:
    call = make_call()
    page = room.read(page_of(call))
    assert "Save" not in page
    assert "Delete" not in page
    for path in (form_for(ToolCall), page_of(call)):
        assert room.post(path, name="x").status_code == 403
    assert ToolCall.objects.get().name == "echo"


def test_exporting_is_no_scope_of_a_key(room: ControlRoom) -> None:
    page = room.read(form_for(ApiKey))
    assert "tools_app.call_get-user-profile" in page
    assert "_toolcall" not in page


def test_only_who_may_export_is_offered_it(db_for_threads: None) -> None:
    viewer = ControlRoom(make_staff("viewer", may="^view_toolcall$"))
    exporter = ControlRoom(make_staff("exporter", may="^(view|export)_toolcall$"))
    assert "Export as" not in viewer.read(LIST)
    for name in ("CSV", "JSON lines"):
        assert f"Export as {name}" in exporter.read(LIST)


# --- Hostile names ---


def test_hostile_names_act_on_no_page(room: ControlRoom) -> None:
    user = User.objects.create_user(HOSTILE)
    call = make_call(name=HOSTILE, user_id=user.pk, username=HOSTILE, client_name=HOSTILE, credential=HOSTILE)
    for path, times in ((LIST, 3), (page_of(call), 5), (history_of(call), 1), (f"{LIST}?user=x", 0)):
        page = room.read(path)
        assert "<script>alert" not in page
        assert not any(char in page for char in "\x1b\u202e\r")
        shown = SPELLED_OUT.replace("'", "&#x27;").replace("<", "&lt;").replace(">", "&gt;")
        assert page.count(shown) >= times, path
