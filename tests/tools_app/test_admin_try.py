"""Trying a tool from its page: who may, what is shown of it, and that nothing that was typed is lost."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from sessions_app.models import Preference, User
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from tests.control_room import ControlRoom, Page, make_staff, make_superuser, page_of
from tools_app.admin.block import MOST_SHOWN
from tools_app.apps import make_policies
from tools_app.models import ToolCall, ToolPolicy
from tools_app.trial import LARGEST

from .decisions import off

pytestmark = pytest.mark.pages

MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
SECRET = "correct-horse-battery-staple"


@pytest.fixture
def rows(db_for_threads: None) -> None:
    make_policies()


@pytest.fixture
def viewer(rows: None) -> User:
    """May look at tools, and call what members may."""
    return make_staff("viewer", MEMBERS, may="^view_toolpolicy$")


@pytest.fixture
def room(viewer: User) -> ControlRoom:
    return ControlRoom(viewer)


def at(tool: str) -> str:
    return f"/admin/tools_app/toolpolicy/{tool}/try/"


def attempt(room: ControlRoom, tool: str, arguments: Any = "", **more: str) -> Any:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return room.post(at(tool), arguments=text, **more)


class Attributes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.values += [value or "" for _, value in attrs]


def attributes_of(html: str) -> list[str]:
    """What all attributes of a page say: Alpine makes functions of some."""
    parser = Attributes()
    parser.feed(html)
    return parser.values


def kept(html: str) -> str:
    arguments: str = Page(html).fields["arguments"]
    return arguments.removeprefix("\n")


# --- The form -----------------------------------------------------------------------------------------


def test_the_page_of_a_tool_has_a_form_with_arguments_to_begin_with(room: ControlRoom) -> None:
    page = room.read(page_of(ToolPolicy.objects.get(tool="typed")))
    assert json.loads(kept(page)) == {"number": 0, "tags": []}
    assert f'action="{at("typed")}"' in page


@pytest.mark.parametrize("tool", ["restock", "close-shop"])
def test_what_one_may_not_call_says_so_and_has_no_form(room: ControlRoom, tool: str) -> None:
    page = room.read(page_of(ToolPolicy.objects.get(tool=tool)))
    assert "You may not call it yourself" in page
    assert at(tool) not in page


def test_what_is_off_says_so(room: ControlRoom) -> None:
    off("echo")()
    page = room.read(page_of(ToolPolicy.objects.get(tool="echo")))
    assert "It is switched off" in page
    assert at("echo") not in page


# --- What comes of it ---------------------------------------------------------------------------------


def test_it_shows_what_the_tool_returned(room: ControlRoom, viewer: User) -> None:
    answer = attempt(room, "order", {"number": 7})
    assert answer.status_code == 200
    for text in ("It returned", "**Order 7**: tea", "&quot;item&quot;: &quot;tea&quot;", " ms"):
        assert text in answer.text, text
    assert json.loads(kept(answer.text)) == {"number": 7}
    assert "no-store" in answer["Cache-Control"]
    call = ToolCall.objects.get()
    assert (call.user_id, call.client_name, call.ip, call.outcome) == (
        viewer.pk,
        "Control room",
        "127.0.0.1",
        "ok",
    )


def test_it_shows_what_was_told_and_names_what_is_no_text(room: ControlRoom) -> None:
    assert "1/3 at 1\n2/3 at 2\n3/3 at 3</pre>" in attempt(room, "count", {"to": 3}).text
    assert "not shown here: resource_link." in attempt(room, "linked").text


def test_it_changes_what_the_tool_changes(room: ControlRoom, viewer: User) -> None:
    attempt(room, "manage-preferences", {"action": "set", "key": "drink", "value": "tea"})
    assert Preference.objects.of(viewer.pk).as_dict() == {"drink": "tea"}


def test_a_crash_shows_its_id_and_leads_to_the_record_who_may_see_it(room: ControlRoom, viewer: User) -> None:
    answer = attempt(room, "crash")
    error_id = ToolCall.objects.get().error_id
    assert "It failed" in answer.text
    assert f"<code>{error_id}</code>" in answer.text
    viewer.user_permissions.add(Permission.objects.get(codename="view_toolcall"))
    answer = attempt(room, "crash")
    assert f"/admin/tools_app/toolcall/?q={ToolCall.objects.first().error_id}" in answer.text  # type: ignore[union-attr]


def test_what_is_long_is_cut_and_says_so(room: ControlRoom) -> None:
    answer = attempt(room, "recite", {"text": "x", "times": 3 * MOST_SHOWN})
    assert f"The first {MOST_SHOWN:,} of {3 * MOST_SHOWN:,} characters." in answer.text
    assert answer.text.count("x" * MOST_SHOWN) <= 2
    assert len(answer.content) < 200_000


# --- Nothing is lost ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"text": ', "Not valid JSON"),
        ("[1]", "the arguments are a JSON object"),
        ('{"text": 1}', "Invalid arguments for echo"),
        ('{"text": "a\0b"}', "Not valid JSON"),
        ('{"text": "\\u0000"}', "a NUL character"),
        ("\n\n  {\n", "Not valid JSON"),
        ("</textarea>" + MARKUP, "Not valid JSON"),
        ('{"text": "' + "x" * 300_000 + '"}', f"larger than {LARGEST} bytes"),
    ],
)
def test_what_is_no_good_is_said_and_kept(room: ControlRoom, arguments: str, says: str) -> None:
    answer = attempt(room, "echo", arguments)
    assert answer.status_code == 200
    assert says in answer.text
    assert kept(answer.text) == arguments
    assert "<script>alert" not in answer.text


def test_more_than_a_form_may_hold_is_refused(room: ControlRoom) -> None:
    assert attempt(room, "echo", "x" * 3_000_000).status_code in (400, 413)


@pytest.mark.parametrize("text", [MARKUP, "{{7*7}}", "'+alert(1)+'", "{% now %}", "\u202ertl", "\x1b[31m", "\x00"])
def test_what_a_tool_returns_is_text(room: ControlRoom, text: str) -> None:
    """In no attribute, of which Alpine evaluates some, and with nothing in it that acts."""
    html = attempt(room, "echo", {"text": text}).text
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert ">49<" not in html
    assert not {"\u202e", "\x1b"} & set(html)
    assert [value for value in attributes_of(html) if "alert(1)" in value or "7*7" in value] == []
    assert Page(html).inline == Page(room.read("/admin/")).inline


# --- What destroys ------------------------------------------------------------------------------------


def test_what_destroys_is_not_called_before_one_says_that_one_knows(rows: None) -> None:
    room = ControlRoom(make_superuser())
    assert "This tool says that it destroys" in room.read(page_of(ToolPolicy.objects.get(tool="close-shop")))
    answer = attempt(room, "close-shop", '{"a": 1')
    assert "It was not called." in answer.text
    assert kept(answer.text) == '{"a": 1'
    assert not ToolCall.objects.exists()
    assert "It returned" in attempt(room, "close-shop", knows="yes").text
    assert ToolCall.objects.get().outcome == "ok"


def test_what_does_not_destroy_has_no_box(room: ControlRoom) -> None:
    assert 'name="knows"' not in room.read(page_of(ToolPolicy.objects.get(tool="echo")))


# --- What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["restock", "close-shop"])
def test_what_one_may_not_call_is_not_called(room: ControlRoom, tool: str) -> None:
    answer = attempt(room, tool, knows="yes")
    assert answer.status_code == 403
    assert "You may not call it yourself" in answer.text
    assert not ToolCall.objects.exists()


def test_what_is_off_is_not_called(room: ControlRoom) -> None:
    off("echo")()
    assert attempt(room, "echo", {"text": "x"}).status_code == 403
    assert not ToolCall.objects.exists()


def test_a_tool_that_there_is_not_is_not_found(room: ControlRoom) -> None:
    ToolPolicy.objects.create(tool="a tool of last year")
    gone = page_of(ToolPolicy.objects.get(tool="a tool of last year")).replace("change", "try")
    assert {room.post(path).status_code for path in (gone, at("no-such-tool"), at("a_00b"))} == {404}


def test_it_is_a_post_alone(room: ControlRoom) -> None:
    assert room.get(at("echo"), arguments='{"text": "x"}').status_code == 405
    assert not ToolCall.objects.exists()


def test_it_needs_the_form_s_own_token(viewer: User) -> None:
    assert attempt(ControlRoom(viewer, enforce_csrf_checks=True), "echo", {"text": "x"}).status_code == 403
    assert not ToolCall.objects.exists()


def test_others_may_not(rows: None, alice: User) -> None:
    """Though alice might call it from her own client, and an administrator who is staff as well."""
    for visitor in (ControlRoom(), ControlRoom(alice)):
        answer = attempt(visitor, "echo", {"text": "x"})
        assert (answer.status_code, answer["Location"][:13]) == (302, "/admin/login/")
    staff = ControlRoom(make_staff("keeper", ADMINISTRATORS, may="^view_user$"))
    assert {attempt(staff, tool).status_code for tool in ("echo", "no-such-tool")} == {403}
    assert not ToolCall.objects.exists()


def test_arguments_are_in_no_log(room: ControlRoom, caplog: pytest.LogCaptureFixture) -> None:
    attempt(room, "typed", {"number": SECRET, "tags": []})
    attempt(room, "echo", '{"text": "' + SECRET)
    assert SECRET not in caplog.text
    assert not any(SECRET in str(row) for row in ToolCall.objects.values())
