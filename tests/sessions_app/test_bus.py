"""What one process makes of what another tells it."""

from typing import Any

import pytest

from sessions_app.transport.bus import Bus
from sessions_app.transport.events import SessionChanged


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def bus(heard: list[Any]) -> Bus:
    bus = Bus()
    bus.on(SessionChanged, heard.append)
    return bus


def message(*events: Any, origin: str = "another") -> dict[str, Any]:
    return {"type": "bus.wake", "origin": origin, "events": list(events)}


def test_it_hears_the_others_and_not_itself(bus: Bus, heard: list[Any]) -> None:
    bus._receive(message(["SessionChanged", 1]))
    bus._receive(message(["SessionChanged", 2], origin=bus._origin))
    assert heard == [SessionChanged(1)]


def test_what_another_release_tells_does_not_deafen_it(
    bus: Bus, heard: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    bus._receive(message(["SessionChanged", 1, "a field more"], ["Invented"], ["SessionChanged", 2]))
    bus._receive({"type": "bus.wake"})
    bus._receive(message([], [[]], ["SessionChanged", 3]))
    assert heard == [SessionChanged(2), SessionChanged(3)]
    assert "of which this release knows nothing" in caplog.text


def test_an_end_that_fails_does_not_keep_others_from_hearing(bus: Bus, heard: list[Any]) -> None:
    def fail(event: SessionChanged) -> None:
        raise RuntimeError

    deaf = Bus()
    deaf.on(SessionChanged, fail)
    deaf.on(SessionChanged, heard.append)
    deaf._receive(message(["SessionChanged", 1]))
    assert heard == [SessionChanged(1)]


def test_what_it_tells_is_what_another_hears(bus: Bus, heard: list[Any]) -> None:
    bus._receive(Bus()._message([SessionChanged(7)]))
    assert heard == [SessionChanged(7)]
