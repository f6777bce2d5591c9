"""What a browser may ask for over a room's socket: JSON in text frames. The answer has the `id` of what was asked.

{"id": 1, "do": "post", "text": "Hello", "key": "…"}  →  {"id": 1, "done": {"sequence": 7, …}}
                                                      or {"id": 1, "error": {"message": …, "status": …}}
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from collab_app.exceptions import RoomRefused
from sessions_app.models import User

from .models import Room
from .models.membership import user_called

Id = Annotated[int, Field(ge=0, le=2**53 - 1)]
Sequence = Annotated[int, Field(ge=0, le=2**63 - 1)]


class Frame(BaseModel):
    """One thing to do. `run` is called on a pool thread, for a member of the room."""

    model_config = ConfigDict(extra="forbid", strict=True)

    writes: ClassVar[bool] = True
    """Whether it is counted as a post."""

    id: Id

    def run(self, room: Room, user: User) -> Any:
        """What is answered. Raises: RoomRefused."""
        raise NotImplementedError


class Post(Frame):
    do: Literal["post"]
    text: str
    key: str = ""
    """Its idempotency key: sent again after a connection was lost, it is said once."""

    def run(self, room: Room, user: User) -> Any:
        return room.post(user, self.text, key=self.key).as_dict()


class Set(Frame):
    do: Literal["set"]
    key: str
    value: Any
    version: Sequence | None = None
    """Only while it is at this version; 0: only while it is not there."""

    def run(self, room: Room, user: User) -> Any:
        return room.state.set(self.key, self.value, user, expected_version=self.version).as_dict()


class Remove(Frame):
    do: Literal["remove"]
    key: str
    version: Sequence | None = None

    def run(self, room: Room, user: User) -> Any:
        room.state.remove(self.key, user, expected_version=self.version)


class Invite(Frame):
    do: Literal["invite"]
    username: str

    def run(self, room: Room, user: User) -> Any:
        room.invite(user_called(self.username), user)


class PutOut(Frame):
    do: Literal["put-out"]
    username: str

    def run(self, room: Room, user: User) -> Any:
        room.remove(room.member_called(self.username), user)


class Leave(Frame):
    do: Literal["leave"]
    writes = False

    def run(self, room: Room, user: User) -> Any:
        room.leave(user)


class Read(Frame):
    """The person has seen all up to this message."""

    do: Literal["read"]
    writes = False
    sequence: Sequence

    def run(self, room: Room, user: User) -> Any:
        room.read(user, self.sequence)


class Earlier(Frame):
    """Messages before the first that the page shows."""

    do: Literal["earlier"]
    writes = False
    before: Sequence

    def run(self, room: Room, user: User) -> Any:
        return [message.as_dict() for message in room.messages.before(self.before)]


class Follow(BaseModel):
    """The first frame: from which message on. Null: the newest ones."""

    model_config = ConfigDict(extra="forbid", strict=True)

    do: Literal["follow"]
    after: Sequence | None = None


FRAME: TypeAdapter[Frame] = TypeAdapter(
    Annotated[Post | Set | Remove | Invite | PutOut | Leave | Read | Earlier, Field(discriminator="do")]
)


def parsed(value: Any) -> Frame:
    """Raises: RoomRefused."""
    try:
        return FRAME.validate_python(value)
    except ValidationError:
        raise RoomRefused("This frame is not understood.") from None


def parsed_follow(value: Any) -> Follow:
    """Raises: RoomRefused."""
    try:
        return Follow.model_validate(value)
    except ValidationError:
        raise RoomRefused("The first frame says what to follow.") from None
