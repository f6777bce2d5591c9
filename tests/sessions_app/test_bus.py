"""What one process makes of what another tells it."""

import asyncio
import time
from typing import Any

import pytest

from sessions_app.transport.bus import DEAF_AFTER, Bus
from sessions_app.transport.events import Missed, SessionChanged


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


async def test_who_hears_another_call_need_not(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions_app.transport.bus.LONGEST_SILENCE", 0.2)
    silence = asyncio.create_task(bus._silence())
    for _ in range(4):
        await asyncio.sleep(0.1)
        bus._receive(message())
    assert not silence.done()
    await asyncio.wait_for(silence, 0.5)


async def test_what_is_told_is_no_call(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an inbox that overflows some is still heard."""
    monkeypatch.setattr("sessions_app.transport.bus.LONGEST_SILENCE", 0.2)
    silence = asyncio.create_task(bus._silence())
    for _ in range(4):
        await asyncio.sleep(0.1)
        bus._receive(message(["SessionChanged", 1]))
    assert silence.done()


@pytest.mark.parametrize("was_noticed", [True, False])
def test_who_was_deaf_may_have_missed_something(bus: Bus, was_noticed: bool) -> None:
    missed: list[Missed] = []
    bus.on(Missed, missed.append)
    bus._heard_at = time.monotonic() if was_noticed else time.monotonic() - DEAF_AFTER
    bus._is_deaf = was_noticed
    bus._receive(message())
    bus._receive(message())
    assert (bus._is_deaf, len(missed)) == (False, 1)
