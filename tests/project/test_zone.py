"""Times as the viewer's clock has them: by a cookie that may say anything."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone

from project.pages.zone import COOKIE, viewers_zone, zone_called, zones
from sessions_app.models import ApiKey, User
from tests.control_room import ControlRoom

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def visitor(alice: User) -> ControlRoom:
    ApiKey.mint(alice, "laptop")
    ApiKey.objects.update(created_at=NOON)
    return ControlRoom(alice)


def made_at(visitor: ControlRoom, zone: str) -> str:
    visitor.client.cookies[COOKIE] = zone
    return visitor.read("/me/keys/")


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Tokyo", "2026-03-01 21:00"),
        ("America/New_York", "2026-03-01 07:00"),
        ("Etc/GMT+1", "2026-03-01 11:00"),
    ],
)
def test_times_are_in_the_zone_of_whoever_looks(visitor: ControlRoom, zone: str, shown: str) -> None:
    html = made_at(visitor, zone)
    assert f'<time datetime="2026-03-01T12:00:00+00:00">{shown}</time>' in html
    assert f"Times are in the zone {zone}." in html


@pytest.mark.parametrize(
    "zone",
    ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "asia/tokyo\x00", "x" * 5000, "Factory",
     "localtime", "posixrules", "Europe", "<script>", '"quoted"', "UTC; DROP TABLE", "Ünïcode/Ort"],
)  # fmt: skip
def test_what_is_no_zone_is_utc_and_never_an_error(visitor: ControlRoom, zone: str) -> None:
    html = made_at(visitor, zone)
    assert ">2026-03-01 12:00</time>" in html
    assert "Times are in the zone UTC." in html
    assert zone_called(zone) is None


def test_one_visitor_s_zone_is_nobody_else_s(visitor: ControlRoom) -> None:
    made_at(visitor, "Asia/Tokyo")
    assert timezone.get_current_timezone_name() == "UTC"
    del visitor.client.cookies[COOKIE]
    assert ">2026-03-01 12:00</time>" in visitor.read("/me/keys/")


def test_what_machines_read_stays_as_it_is(visitor: ControlRoom) -> None:
    visitor.client.cookies[COOKIE] = "Asia/Tokyo"
    answer = visitor.get("/api/keys/")
    assert answer.json()["results"][0]["created_at"] == "2026-03-01T12:00:00Z"


async def test_it_holds_within_a_loop_too(visitor: ControlRoom) -> None:
    seen: list[str] = []

    async def view(request: HttpRequest) -> HttpResponse:
        seen.append(timezone.get_current_timezone_name())
        return HttpResponse()

    request: Any = HttpRequest()
    request.COOKIES = {COOKIE: "Asia/Tokyo"}
    await viewers_zone(view)(request)  # type: ignore[misc]
    assert (seen, timezone.get_current_timezone_name()) == (["Asia/Tokyo"], "UTC")


def test_there_are_zones_to_choose_from() -> None:
    assert {"UTC", "Europe/Berlin", "Asia/Kolkata"} <= zones()


def test_the_script_that_tells_it_is_on_every_page() -> None:
    for path in ("/", "/sign-in/"):
        assert '/static/project/zone.js"></script>' in Client().get(path).text
