"""Tool policies in the admin."""

import pytest

from sessions_app.models import User
from tests.control_room import ControlRoom, form_for, list_of, make_superuser, page_of
from tools_app.models import ToolPolicy

pytestmark = pytest.mark.pages


@pytest.fixture
def room(db_for_threads: None) -> ControlRoom:
    return ControlRoom(make_superuser())


def test_an_operator_sets_a_tool_s_rate(room: ControlRoom) -> None:
    assert room.post(form_for(ToolPolicy), tool="rationed", rate="7/h").status_code == 302
    policy = ToolPolicy.objects.get()
    assert (policy.tool, policy.rate) == ("rationed", "7/h")
    page = room.read(list_of(ToolPolicy))
    assert "3/h" in page  # as its developer decided
    room.save(policy, rate="")
    assert ToolPolicy.rates() == {}


@pytest.mark.parametrize("rate", ["often", "0/h", "7 per hour", "7/h; 8/h"])
def test_what_is_no_rate_is_refused_with_an_example(room: ControlRoom, rate: str) -> None:
    response = room.post(form_for(ToolPolicy), tool="rationed", rate=rate)
    assert response.status_code == 200
    assert "write 100/h, 10/s, 600/m or 5000/d" in response.text
    assert not ToolPolicy.objects.exists()


def test_there_is_a_policy_only_for_a_tool_that_there_is(room: ControlRoom) -> None:
    assert room.post(form_for(ToolPolicy), tool="no-such-tool", rate="7/h").status_code == 200
    gone = ToolPolicy.objects.create(tool="a tool of last year", rate="7/h")
    assert "There is no such tool any more" in room.read(list_of(ToolPolicy))
    assert "a tool of last year" in room.read(page_of(gone))


def test_nobody_else_may(alice: User) -> None:
    assert ControlRoom(alice).post(form_for(ToolPolicy), tool="rationed", rate="7/h").status_code == 302
    assert not ToolPolicy.objects.exists()
