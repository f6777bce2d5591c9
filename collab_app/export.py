"""A room as a file: JSON lines for a program, Markdown for a reader. Batch by batch, however much was said."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import F

from sessions_app.plain_text import visible, visible_lines

from .models import Membership, Message, Room
from .models.message import GONE

BATCH = 200
"""Messages that are read at once."""


@dataclass(frozen=True)
class Format:
    name: str
    extension: str
    content_type: str
    head: Callable[[Room], str]
    write: Callable[[Message], str]

    def text(self, room: Room) -> Iterator[str]:
        """Piece by piece, oldest first, up to what is the newest message now. Each costs a query or two."""
        room = Room.objects.select_related("creator").get(pk=room.pk)
        yield self.head(room)
        for batch in batches_of(room):
            yield "".join(self.write(message) for message in batch)


def batches_of(room: Room) -> Iterator[list[Message]]:
    """No cursor or transaction is held open between two of them."""
    said, last = room.messages.filter(sequence__lte=room.last_sequence), 0
    while batch := said.after(last, BATCH):
        yield batch
        last = batch[-1].sequence


def members_of(room: Room) -> list[Membership]:
    """All who ever had a place in it."""
    return list(room.memberships.select_related("user").order_by(F("joined_at").asc(nulls_last=True), "pk"))


# --- JSON lines ---


def json_line(value: Any) -> str:
    """In ASCII, so that what would act in a terminal is spelled out, and comes back as it was."""
    return json.dumps(value) + "\n"


def room_line(room: Room) -> str:
    return json_line(
        {
            "id": room.public_id,
            "name": room.name,
            "by_invitation": room.by_invitation,
            "creator": None if room.creator is None else room.creator.get_username(),
            "created_at": plain(room.created_at),
            "active_at": plain(room.active_at),
            "closed_at": plain(room.closed_at),
            "last_sequence": room.last_sequence,
            "revision": room.revision,
            "members": [member(membership) for membership in members_of(room)],
            "state": [state.as_dict() for state in room.state.all()],
        }
    )


def member(membership: Membership) -> dict[str, Any]:
    times = {name: plain(getattr(membership, name)) for name in ("invited_at", "joined_at", "left_at")}
    return {
        "username": membership.user.get_username(),
        "status": membership.status.lower(),
        **times,
        "last_read": membership.last_read,
    }


def message_line(message: Message) -> str:
    return json_line(message.as_dict())


def plain(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


# --- Markdown ---

NONE = "None.\n\n"


def code(text: str) -> str:
    """`text` in a line, between more backticks than are in it: nothing in there is markup, and nothing ends it."""
    text = visible(text) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def quoted(text: str) -> str:
    """`text` as code in a quote: shown as it was said. Markup in a mere quote would reach beyond it: a comment
    that is not closed swallows the rest of the page, and a definition of a link holds for all of it."""
    return "".join(f">     {line}".rstrip() + "\n" for line in visible_lines(text))


def room_head(room: Room) -> str:
    by = GONE if room.creator is None else code(room.creator.get_username())
    closed = f", closed {at(room.closed_at)}" if room.closed_at else ""
    way = "by invitation" if room.by_invitation else "open to who knows its id"
    members = "".join(member_item(membership) for membership in members_of(room))
    state = "".join(state_part(state.as_dict()) for state in room.state.all())
    return (
        f"# {code(room.name)}\n\n"
        f"Room {code(room.public_id)}, {way}; begun by {by} {at(room.created_at)}{closed}. Times are UTC.\n\n"
        f"## Members\n\n{members}\n"
        f"## Shared state\n\n{state or NONE}"
        f"## Messages\n\n{'' if room.last_sequence else NONE}"
    )


def member_item(membership: Membership) -> str:
    times = [
        f"{word} {at(time)}"
        for word, time in (("joined", membership.joined_at), ("left", membership.left_at))
        if time is not None
    ]
    return f"- {code(membership.user.get_username())}: {', '.join([membership.status.lower(), *times])}\n"


def state_part(state: dict[str, Any]) -> str:
    value = json.dumps(state["value"], ensure_ascii=False, indent=2)
    by = byline(state["changed_by"], state["client"])
    return f"- {code(state['key'])}, version {state['version']}, changed by {by}\n\n{quoted(value)}\n"


def message_part(message: Message) -> str:
    by = byline(None if message.author is None else message.author.get_username(), message.client)
    return f"**#{message.sequence}** {at(message.posted_at)}, {by}:\n\n{quoted(message.text)}\n"


def byline(username: str | None, client: str) -> str:
    who = GONE if username is None else code(username)
    return f"{who} by {code(client)}" if client else who


def at(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


FORMATS = {
    "jsonl": Format("JSON lines", "jsonl", "application/jsonl; charset=utf-8", room_line, message_line),
    "markdown": Format("Markdown", "md", "text/markdown; charset=utf-8", room_head, message_part),
}
