"""The page that the control room begins with."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app.models import ApiKey, Session, User
from tests.control_room import ControlRoom, make_staff, make_superuser
from tools_app.models import HourOfName, HourOfUser

HOME = "/admin/"
PARTS = {
    "^view_toolcall$": ("Calls by the hour", "Most called", "Busiest users", "Refused before any tool"),
    "^view_session$": ("Live sessions</dt>",),
    "^view_apikey$": ("Keys that expire within a week",),
    "^view_user$": ("Limits nearly used up",),
}


@pytest.fixture
def busy(alice: User) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    HourOfName.objects.create(hour=hour, kind="tool", name="echo", ok=1234, error=5, within_20=1239)
    HourOfUser.objects.create(hour=hour, user_id=alice.pk, calls=1239, errors=5)
    key, _ = ApiKey.mint(alice, "soon gone", lifetime=timedelta(days=2))
    Session.objects.create(
        user=alice, credential=key.credential, label="laptop", transport="http", protocol_version="x"
    )


def test_it_says_how_the_server_does(busy: None) -> None:
    page = ControlRoom(make_superuser()).read(HOME)
    for shown in ("1,239", "echo", "alice", "soon gone", "Nothing was refused", "Channel layer", "all applied"):
        assert shown in page, shown


def test_before_anything_happened_it_says_what_to_do(db: None) -> None:
    page = ControlRoom(make_superuser()).read(HOME)
    assert "Nothing was called in the last 24 hours." in page
    assert "Make a key" in page


@pytest.mark.parametrize("may", PARTS)
def test_each_part_is_for_who_may_look_at_what_it_is_made_of(busy: None, may: str) -> None:
    page = ControlRoom(make_staff("clerk", may=may)).read(HOME)
    for needed, parts in PARTS.items():
        for part in parts:
            assert (part in page) == (needed == may), part
    assert "What it runs on" in page


def test_staff_without_permissions_see_no_names(busy: None) -> None:
    page = ControlRoom(make_staff("clerk", may="^$")).read(HOME)
    for hidden in ("alice", "soon gone", "echo", "1,239"):
        assert hidden not in page


def test_it_takes_few_queries(busy: None) -> None:
    room = ControlRoom(make_superuser())
    room.read(HOME)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        room.read(HOME)
    assert len(queries) <= 20, [query["sql"][:100] for query in queries]
