"""What `collaboration` does, action by action: the room's own methods, and the seed's sentences."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sessions_app.models import Session, User
from sessions_app.plain_text import visible
from sessions_app.pool import background_pool
from sessions_app.principal import Principal
from tools_app.context import Log
from tools_app.exceptions import ToolError

from .exceptions import RoomNotFound, RoomRefused, StateConflict
from .models import Room
from .models.membership import user_called
from .models.message import LONGEST_CLIENT
from .results import Action, Conflict, ListedRoom, RoomDetails, RoomMessage, RoomResult, StateEntry
from .rooms_of import PAGE, invitations_of, rooms_of

RECENT = 5
"""Messages that a look at a room shows, if it does not say from where on."""


@dataclass(frozen=True)
class Asked:
    """The tool's arguments, and who calls it by which client."""

    user: User
    client: str
    log: Log
    room_id: str | None
    room_name: str | None
    message: str | None
    state_key: str | None
    state_value: Any
    removes_state: bool
    expected_version: int | None
    idempotency_key: str | None
    by_invitation: bool
    username: str | None

    def say(self, what: str, **details: Any) -> None:
        self.log.info(what, userId=self.user.pk, roomId=self.room_id, **details)

    @contextmanager
    def room(self, unknown: str = "") -> Iterator[Room]:
        """The room that is meant, of which the caller has to be a member. Raises: ToolError."""
        public_id = required(self.room_id)
        with refused_as(unknown.format(public_id)):
            room = Room.objects.seen_by(self.user.pk, public_id)
            yield room
        room.attend(self.user, self.client)


def create(asked: Asked) -> RoomResult:
    if not asked.room_id or not asked.room_name:
        raise ToolError("Room ID and name required")
    with refused_as():
        room = Room.objects.start(asked.user, asked.room_name, asked.room_id, by_invitation=asked.by_invitation)
    room.attend(asked.user, asked.client)
    asked.say("Collaboration room created", roomName=visible(room.name))
    text = f"Collaboration room '{room.name}' ({room.public_id}) created"
    return RoomResult(action="create", text=text, room=RoomDetails.of(room))


def join(asked: Asked) -> RoomResult:
    with refused_as():
        room = Room.objects.open_by_id(required(asked.room_id))
        room.join(asked.user)
    room.attend(asked.user, asked.client)
    asked.say("User joined collaboration room")
    text = f"Joined collaboration room {room.public_id}"
    return RoomResult(action="join", text=text, room=RoomDetails.of(room))


def leave(asked: Asked) -> RoomResult:
    with refused_as():
        room = Room.objects.known_to(asked.user.pk, required(asked.room_id))
        room.leave(asked.user)
    asked.say("User left collaboration room")
    return RoomResult(action="leave", text=f"Left collaboration room {room.public_id}")


def say(asked: Asked) -> RoomResult:
    if not asked.room_id or not asked.message:
        raise ToolError("Room ID and message required")
    with asked.room("Cannot send message to room {}") as room:
        said = room.post(asked.user, asked.message, client=asked.client, key=asked.idempotency_key or "")
    text = f"Message sent to room {room.public_id}"
    return RoomResult(action="message", text=text, messages=[RoomMessage.of(said)])


def change_state(asked: Asked) -> RoomResult:
    with asked.room(DENIED) as room:
        if not asked.state_key:
            raise ToolError("State key required")
        key, expected = asked.state_key, asked.expected_version
        if asked.removes_state:
            room.state.remove(key, asked.user, expected_version=expected)
            return RoomResult(action="state", text=f"Shared state '{key}' removed in room {room.public_id}")
        put = room.state.set(key, asked.state_value, asked.user, expected_version=expected, client=asked.client)
    text = f"Shared state '{key}' updated in room {room.public_id}"
    return RoomResult(action="state", text=text, shared_state=[StateEntry.of(put)])


def invite(asked: Asked) -> RoomResult:
    with asked.room(DENIED) as room:
        room.invite(user_called(named(asked.username)), asked.user)
    text = f"Invited {asked.username} to room {room.public_id}"
    return RoomResult(action="invite", text=text, room=RoomDetails.of(room))


def remove(asked: Asked) -> RoomResult:
    with asked.room(DENIED) as room:
        room.remove(room.member_called(named(asked.username)), asked.user)
    text = f"Removed {asked.username} from room {room.public_id}"
    return RoomResult(action="remove", text=text, room=RoomDetails.of(room))


ACTIONS: dict[Action, Callable[[Asked], RoomResult]] = {
    "create": create, "join": join, "leave": leave, "message": say, "state": change_state, "invite": invite,
    "remove": remove,
}  # fmt: skip
"""Those that change something."""


def required(room_id: str | None) -> str:
    if not room_id:
        raise ToolError("Room ID required")
    return room_id


def named(username: str | None) -> str:
    if not username:
        raise ToolError("Username required")
    return username


def look(principal: Principal, session: Session, room_id: str | None, after: int | None) -> RoomResult:
    """Raises: ToolError."""
    with refused_as(DENIED.format(required(room_id))):
        room = Room.objects.seen_by(principal.user_id, required(room_id))
    messages = room.messages.latest_ones(RECENT) if after is None else room.messages.after(after)
    client = name_of(session)
    background_pool.later(lambda: room.attend(User.objects.get(pk=principal.user_id), client))
    return RoomResult(
        action="state",
        room=RoomDetails.of(room),
        messages=[RoomMessage.of(message) for message in messages],
        has_more=bool(messages) and messages[-1].sequence < room.last_sequence,
        shared_state=[StateEntry.of(entry) for entry in room.state.all()],
    )


def list_rooms(principal: Principal, cursor: str | None) -> RoomResult:
    """Raises: ToolError."""
    rows = rooms_of(principal.user_id, cursor or "")
    return RoomResult(
        action="list",
        rooms=[ListedRoom(**row) for row in rows[:PAGE]],
        invitations=[ListedRoom(**row) for row in invitations_of(principal.user_id)],
        next_cursor=rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
    )


def name_of(session: Session) -> str:
    """What its client calls itself, made harmless to look at."""
    return visible(session.client_name)[:LONGEST_CLIENT] or "an MCP client"


DENIED = "Room {} not found or access denied"


@contextmanager
def refused_as(unknown: str = "") -> Iterator[None]:
    """What a room refuses, for a model to read. `unknown`: of a room that there is not for this caller."""
    try:
        yield
    except StateConflict as conflict:
        now = Conflict(key=conflict.key, value=conflict.value, version=conflict.version)
        raise ToolError(str(conflict), structured=RoomResult(action="state", conflict=now)) from None
    except RoomNotFound as refusal:
        raise ToolError(unknown or refusal.message) from None
    except RoomRefused as refusal:
        raise ToolError(refusal.message) from None
