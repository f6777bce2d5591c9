"""`manage.py room`: list, close, export."""

import json
import logging
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from collab_app.models import Room
from sessions_app.models import User
from tests.collab_app.rooms import DAY, ago

pytestmark = pytest.mark.alike


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("room", *arguments, stdout=out)
    return out.getvalue()


def test_open_rooms_are_listed_and_closed_ones_when_asked_for(room: Room, alice: User) -> None:
    room.post(alice, "Hello")
    other = Room.objects.start(alice, "Other", "other")
    other.close()
    Room.objects.filter(pk=other.pk).update(name="Other\n\u202e")  # past the model, which refuses that
    assert command("list") == (
        f"#{room.pk} design  {room.active_at:%Y-%m-%d %H:%M}  2 members, 1 messages  Design\n"
    )
    closed = command("list", "--closed")
    assert closed.startswith(f"#{other.pk} other  ")
    assert closed.endswith("  0 members, 0 messages  Other\\n\\u202e\n")


def test_a_room_is_closed(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert command("close", "design") == f"Closed room design (#{room.pk}).\n"
    room.refresh_from_db()
    assert not room.is_open
    assert "Room design was closed by a command" in caplog.text
    for name in ("design", f"#{room.pk}"):
        with pytest.raises(CommandError, match=rf"Room design \(#{room.pk}\) is closed already."):
            command("close", name)


def test_a_room_is_printed(room: Room, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    room.post(alice, "Hello")
    assert [json.loads(line).get("text") for line in command("export", "design").splitlines()] == [None, "Hello"]
    assert ">     Hello\n" in command("export", f"#{room.pk}", "--format", "markdown")
    assert "Room design is exported as Markdown by a command" in caplog.text


def test_an_id_is_that_of_the_open_room_or_else_of_the_newest_closed_one(room: Room, alice: User) -> None:
    rooms = [room]
    for name in ("Second", "Third"):
        rooms[-1].close()
        rooms.append(Room.objects.start(alice, name, "design"))

    def exported(name: str) -> str:
        return str(json.loads(command("export", name).splitlines()[0])["name"])

    assert exported("design") == "Third"
    rooms[-1].close()
    Room.objects.filter(pk=room.pk).update(closed_at=ago(DAY))
    assert exported("design") == "Third"
    assert exported(f"#{room.pk}") == "Design"


def test_a_file_is_written_and_none_is_overwritten(room: Room, alice: User, tmp_path: Path) -> None:
    room.post(alice, "Höi")
    path = tmp_path / "room.md"
    assert command("export", "design", "--format", "markdown", "--output", str(path)) == ""
    assert path.read_text(encoding="utf-8").endswith(">     Höi\n\n")
    with pytest.raises(CommandError, match=r"room\.md: File exists"):
        command("export", "design", "--output", str(path))
    with pytest.raises(CommandError, match="No such file or directory"):
        command("export", "design", "--output", str(tmp_path / "nowhere" / "room.md"))


@pytest.mark.parametrize("name", ["nowhere", "#0", "#x", "#", "#999999999999999999999", "#²", "a\x1bb"])
def test_what_is_no_room_is_said(room: Room, name: str) -> None:
    for action in ("close", "export"):
        with pytest.raises(CommandError, match="There is no room ") as caught:
            command(action, name)
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("wrong", [(), ("delete", "design"), ("close",), ("export", "design", "--format", "xlsx")])
def test_what_makes_no_sense_is_refused(room: Room, wrong: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*wrong)
