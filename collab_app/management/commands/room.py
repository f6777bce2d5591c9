import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from collab_app.export import FORMATS
from collab_app.models import Room
from sessions_app.plain_text import visible

logger = logging.getLogger(__name__)
WHICH = "Its id (the open room, or else the newest closed one), or # and its number in the list."


class Command(BaseCommand):
    help = "List rooms, close one, or print all of one as JSON lines or Markdown."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="Open rooms, the latest active first.")
        listing.add_argument("--closed", action="store_true", help="Those that were closed, instead.")
        closing = actions.add_parser("close", help="Close one for good; its messages stay for a while.")
        closing.add_argument("room", metavar="ID", help=WHICH)
        export = actions.add_parser("export", help="Print members, shared state and all messages.")
        export.add_argument("room", metavar="ID", help=WHICH)
        export.add_argument("--format", choices=FORMATS, default="jsonl", help="Default: jsonl.")
        export.add_argument("--output", type=Path, metavar="FILE", help="A new file, instead of standard output.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        match action:
            case "list":
                self.show(**options)
            case "close":
                self.close(room_called(options["room"]))
            case "export":
                self.export(room_called(options["room"]), options["format"], options["output"])

    def show(self, closed: bool, **options: Any) -> None:
        rooms = Room.objects.closed() if closed else Room.objects.open()
        overseen: Any = rooms.overseen().order_by("-active_at", "-pk")
        for room in overseen.iterator():
            numbers = f"{room.members_now} members, {room.last_sequence} messages"
            active = f"{room.active_at:%Y-%m-%d %H:%M}"
            self.stdout.write(f"#{room.pk} {room.public_id}  {active}  {numbers}  {visible(room.name)}")

    def close(self, room: Room) -> None:
        if not room.close():
            raise CommandError(f"Room {room.public_id} (#{room.pk}) is closed already.")
        logger.info("Room %s was closed by a command", room.public_id)
        self.stdout.write(f"Closed room {room.public_id} (#{room.pk}).")

    def export(self, room: Room, format: str, output: Path | None) -> None:
        chosen = FORMATS[format]
        logger.info("Room %s is exported as %s by a command", room.public_id, chosen.name)
        if output is None:
            self.write(chosen.text(room))
            return
        try:
            with output.open("x", encoding="utf-8", newline="\n") as file:
                file.writelines(chosen.text(room))
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}.") from None

    def write(self, pieces: Iterator[str]) -> None:
        try:
            for text in pieces:
                self.stdout.write(text, ending="")
            self.stdout.flush()
        except BrokenPipeError:
            raise SystemExit(1) from None


def room_called(name: str) -> Room:
    """Raises: CommandError."""
    if name.startswith("#"):
        found = Room.objects.filter(pk=int(name[1:])) if name[1:].isascii() and name[1:].isdecimal() else None
        room = found.first() if found is not None else None
    else:
        rooms = Room.objects.filter(public_id=name)
        room = rooms.open().first() or rooms.closed().order_by("-closed_at", "-pk").first()
    if room is None:
        raise CommandError(f"There is no room {visible(name)}. `manage.py room list` shows those that are open.")
    return room
