"""What operators decide about a tool, on its page."""

import pytest
from django.contrib.admin.models import LogEntry

from sessions_app.models import User
from tests.control_room import ControlRoom, deletion_of, form_for, list_of, make_staff, make_superuser, page_of
from tools_app.apps import make_policies
from tools_app.models import ToolPolicy

pytestmark = pytest.mark.pages


@pytest.fixture
def rationed(db_for_threads: None) -> ToolPolicy:
    make_policies()
    return ToolPolicy.objects.get(tool="rationed")


@pytest.fixture
def room(rationed: ToolPolicy) -> ControlRoom:
    return ControlRoom(make_superuser())


def test_an_operator_sets_a_tool_s_rate_and_time(room: ControlRoom, rationed: ToolPolicy) -> None:
    assert "The developer wrote: 3/h." in room.read(page_of(rationed))
    assert room.save(rationed, rate="7/h", timeout="60").status_code == 302
    rationed.refresh_from_db()
    assert (rationed.is_on, rationed.rate, rationed.timeout) == (True, "7/h", 60)
    assert LogEntry.objects.get().change_message == "Limit: 7/h. Timeout: 60 s."
    room.save(rationed, rate="", timeout="")
    assert ToolPolicy.decisions() == {}


def test_the_history_says_that_it_was_switched(room: ControlRoom, rationed: ToolPolicy) -> None:
    room.post(page_of(rationed), rate="")  # an unchecked box is not sent
    assert ToolPolicy.decisions().keys() == {"rationed"}
    assert LogEntry.objects.get().change_message == "Switched off."
    assert "Nobody: it is off." in room.read(page_of(rationed))


@pytest.mark.parametrize("rate", ["often", "0/h", "7 per hour", "7/h; 8/h"])
def test_what_is_no_rate_is_refused_with_an_example(room: ControlRoom, rationed: ToolPolicy, rate: str) -> None:
    response = room.post(page_of(rationed), is_on="on", rate=rate)
    assert response.status_code == 200
    assert "write 100/h, 10/s, 600/m or 5000/d" in response.text
    assert ToolPolicy.decisions() == {}


@pytest.mark.parametrize("timeout", ["0", "601", "-1", "soon", "9" * 30, "1\0"])
def test_what_is_no_time_is_refused(room: ControlRoom, rationed: ToolPolicy, timeout: str) -> None:
    assert room.post(page_of(rationed), is_on="on", rate="", timeout=timeout).status_code == 200
    assert ToolPolicy.decisions() == {}


def test_nobody_adds_tools_or_deletes_those_that_there_are(room: ControlRoom, rationed: ToolPolicy) -> None:
    assert room.post(form_for(ToolPolicy), tool="echo", rate="7/h").status_code == 403
    assert room.post(deletion_of(rationed), post="yes").status_code == 403
    room.act("delete_selected", rationed, post="yes")
    assert ToolPolicy.objects.filter(tool="rationed").exists()


def test_a_tool_that_is_gone_is_told_and_may_be_deleted(room: ControlRoom) -> None:
    gone = ToolPolicy.objects.create(tool="a tool of last year", rate="7/h")
    page = room.read(page_of(gone))
    assert "a tool of last year. There is no such tool any more." in page
    assert "7/h" in page
    assert room.post(page_of(gone), rate="8/h").status_code == 403
    assert room.post(deletion_of(gone), post="yes").status_code == 302
    assert not ToolPolicy.objects.filter(tool=gone.tool).exists()


def test_who_may_only_look_changes_nothing(rationed: ToolPolicy) -> None:
    room = ControlRoom(make_staff("viewer", may="^view_toolpolicy$"))
    assert "limit: 3/h; timeout: 30 s" in room.read(page_of(rationed))
    assert room.post(page_of(rationed), rate="7/h").status_code == 403
    room.act("switch_off", rationed)
    assert ToolPolicy.decisions() == {}


def test_nobody_else_may(alice: User, rationed: ToolPolicy) -> None:
    assert ControlRoom(alice).post(page_of(rationed), rate="7/h").status_code == 302
    nobody = ControlRoom(make_staff("nobody", may="^$"))
    assert {nobody.get(at).status_code for at in (list_of(ToolPolicy), page_of(rationed))} == {403}
    assert nobody.post(page_of(rationed), rate="7/h").status_code == 403
    assert ToolPolicy.decisions() == {}
