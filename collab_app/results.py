"""What the tool and the resources tell of a room, in MCP's spelling."""

import json
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from sessions_app.plain_text import visible, visible_lines
from tools_app.wire_model import WireModel

from .models import Message, Room, SharedState
from .models.message import GONE
from .room_view import here_in, members_of

Action = Literal["create", "join", "leave", "message", "state", "list", "invite", "remove"]


class Participant(WireModel):
    username: str
    role: Literal["owner", "member", "invited"]
    here: list[str] = Field(
        description="By which clients he was seen in the last minute; an empty name is a browser."
    )


class RoomMessage(WireModel):
    sequence: int
    author: str | None = Field(description="Null: a former user.")
    client: str = Field(description="The MCP client that said it for its user; empty: the user himself.")
    text: str
    posted_at: datetime

    @classmethod
    def of(cls, message: Message) -> Self:
        return cls(**message.as_dict())

    def to_markdown(self) -> str:
        """As the seed says it. Further lines are quoted, and what acts on a terminal is spelled out."""
        said = "\n  > ".join(visible_lines(self.text))
        return f"- **{visible(self.author or GONE)}** ({self.posted_at:%H:%M:%S}): {said}"


class StateEntry(WireModel):
    key: str
    value: Any
    version: int = Field(description="Pass it as `expectedVersion` to change this very value.")
    changed_by: str | None
    client: str
    changed_at: datetime

    @classmethod
    def of(cls, state: SharedState) -> Self:
        return cls(**state.as_dict())


class ListedRoom(WireModel):
    id: str
    name: str
    by_invitation: bool
    participants: int
    unread: int = Field(
        description="Messages that the user has not seen on the page; what agents read does not count."
    )

    def to_markdown(self) -> str:
        return f"- **{visible(self.name)}** ({self.id}) - {self.participants} participants"


class RoomDetails(WireModel):
    id: str
    name: str
    by_invitation: bool
    created_at: datetime = Field(description="Of another time, it is another room that has the id now.")
    last_sequence: int = Field(description="The number of the newest message.")
    participants: list[Participant]

    @classmethod
    def of(cls, room: Room) -> Self:
        here: dict[str, list[str]] = {}
        for each in here_in(room):
            here.setdefault(each["username"], []).append(each["client"])
        participants = [
            Participant(**member, here=here.get(member["username"], [])) for member in members_of(room)
        ]
        return cls(
            id=room.public_id,
            name=room.name,
            by_invitation=room.by_invitation,
            created_at=room.created_at,
            last_sequence=room.last_sequence,
            participants=participants,
        )


class Conflict(WireModel):
    """What is there now, where another version was expected. Version 0: nothing is."""

    key: str
    value: Any
    version: int


class RoomResult(WireModel):
    """What was done, or what was asked for."""

    action: Action
    text: str = Field(default="", description="What was done.")
    room: RoomDetails | None = None
    messages: list[RoomMessage] | None = Field(default=None, description="Oldest first.")
    has_more: bool = Field(default=False, description="There are messages after the last of these.")
    shared_state: list[StateEntry] | None = None
    conflict: Conflict | None = None
    rooms: list[ListedRoom] | None = None
    invitations: list[ListedRoom] | None = Field(default=None, description="Rooms that the caller may join.")
    next_cursor: str | None = Field(default=None, description="Pass it as `cursor` for the next page of rooms.")

    def to_markdown(self) -> str:
        if self.rooms is not None:
            return self._list()
        return self.text if self.room is None or self.messages is None else self._state(self.room, self.messages)

    def _list(self) -> str:
        lines = "\n".join(room.to_markdown() for room in self.rooms or ()) or "*No active rooms*"
        waiting = "\n".join(room.to_markdown() for room in self.invitations or ())
        invited = f"\n\n**Invitations:**\n{waiting}" if waiting else ""
        more = f"\n\nMore: list with cursor {self.next_cursor}" if self.next_cursor else ""
        return f"## 🏠 Your Collaboration Rooms\n\n{lines}{invited}{more}"

    def _state(self, room: RoomDetails, messages: list[RoomMessage]) -> str:
        names = ", ".join(visible(each.username) for each in room.participants if each.role != "invited")
        said = "\n".join(message.to_markdown() for message in messages)
        state = {entry.key: entry.value for entry in self.shared_state or ()}
        shown = "\n".join(map(visible, json.dumps(state, ensure_ascii=False, indent=2).split("\n")))
        versions = ", ".join(f"{visible(entry.key)} {entry.version}" for entry in self.shared_state or ())
        return (
            f"## 🏠 Room {room.id} State\n\n**Participants:** {names}\n\n**Recent Messages:**\n{said}\n\n"
            f"**Shared State:**\n```json\n{shown}\n```\n\n"
            f"**Versions:** {versions or 'none'}. **Last message:** {room.last_sequence}."
        )
