"""What is new in a room since somebody looked, read in one go and encoded once for all who look."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from sessions_app.transport import strict_json

from .models import Attendance, Membership, Room

Rows = list[dict[str, Any]]


@dataclass
class RoomView:
    """`messages`, `state` and `members` are what is new since what was asked for."""

    sequence: int
    """Of the last message that was read. The room's newest, unless there are more."""
    revision: int
    messages: Rows
    state: Rows
    keys: list[str]
    members: Rows | None
    """None: the same as before."""
    here: Rows | None
    """None: not looked at."""
    present: frozenset[int] = frozenset()
    """The accounts that were in the room after all this had been read: it is for nobody else."""
    has_more: bool = False
    _frames: dict[Any, bytes] = field(default_factory=dict, repr=False)

    def frame(self, sequence: int, revision: int, *, here: bool) -> bytes | None:
        """For who has seen that much, and wants to know who is here, if these are others than before."""
        key = (sequence, revision, here)
        if key not in self._frames:
            self._frames[key] = self._encode(*key)
        return self._frames[key] or None

    def _encode(self, sequence: int, revision: int, here: bool) -> bytes:
        told: dict[str, Any] = {}
        if messages := [message for message in self.messages if message["sequence"] > sequence]:
            told["messages"] = messages
        if revision < self.revision:
            told["state"] = [state for state in self.state if state["version"] > revision]
            told["keys"] = self.keys
            told["members"] = self.members
        if here:
            told["here"] = self.here
        return strict_json.dumps(told) if told else b""


def view_of(room_id: int, sequence: int, revision: int, *, with_here: bool) -> RoomView | None:
    """What was said after `sequence` and changed after `revision`; None of a closed room. On a pool thread."""
    room = Room.objects.open().filter(pk=room_id).first()
    if room is None:
        return None
    messages = room.messages.after(sequence) if room.last_sequence > sequence else []
    last = messages[-1].sequence if messages else sequence
    is_changed = room.revision > revision
    return RoomView(
        sequence=last,
        # What is read below may be newer than this; then it is read again, and nothing is missed.
        revision=room.revision,
        messages=[message.as_dict() for message in messages],
        state=states_since(room, revision) if is_changed else [],
        keys=list(room.shared_state.order_by("key").values_list("key", flat=True)) if is_changed else [],
        members=members_of(room) if is_changed else None,
        here=here_in(room) if with_here else None,
        # The last: whoever was removed before something was said is not among them.
        present=frozenset(room.memberships.present().values_list("user_id", flat=True)),
        has_more=last < room.last_sequence,
    )


def states_since(room: Room, revision: int) -> Rows:
    changed = room.shared_state.filter(version__gt=revision).select_related("changed_by").order_by("key")
    return [state.as_dict() for state in changed]


def members_of(room: Room) -> Rows:
    counted = Membership.objects.counted().filter(room=room).select_related("user")
    return [membership.as_dict() for membership in counted.order_by(F("joined_at").asc(nulls_last=True), "pk")]


def here_in(room: Room) -> Rows:
    """Of members only: who left is not here, however lately he was seen."""
    present = room.memberships.present().values("user")
    found = Attendance.objects.here().filter(room=room, user__in=present).select_related("user")
    return [attendance.as_dict() for attendance in found.order_by("user__username", "client")]
