from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.db import models, transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from collab_app import limits
from collab_app.exceptions import RoomRefused, StateConflict, StateNotFound
from sessions_app.models import User
from sessions_app.models.preference import JsonText, as_text
from sessions_app.plain_text import visible

from .message import GONE, LONGEST_CLIENT

if TYPE_CHECKING:
    from .room import Room

LONGEST_KEY = 128


class SharedState(models.Model):
    """One value that the members of a room share: any JSON, under a key."""

    room = models.ForeignKey("collab_app.Room", on_delete=models.CASCADE, related_name="shared_state")
    key = models.CharField(max_length=LONGEST_KEY)
    value: "models.Field[Any, Any]" = JsonText(blank=True)
    size = models.PositiveIntegerField(editable=False, help_text="Bytes of the value as JSON.")
    version = models.PositiveBigIntegerField(help_text="Grows with each change, and never comes again.")
    changed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    client = models.CharField(max_length=LONGEST_CLIENT, blank=True, help_text="By which MCP client, if by one.")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "collab_shared_state"
        verbose_name_plural = "shared state"
        ordering = ["room", "key"]
        constraints = [models.UniqueConstraint(fields=["room", "key"], name="one_state_a_key")]

    def __str__(self) -> str:
        return f"{visible(self.key)} in {self.room}"

    @property
    def changer_name(self) -> str:
        return GONE if self.changed_by is None else self.changed_by.get_username()

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, everywhere alike."""
        return {
            "key": self.key,
            "value": self.value,
            "version": self.version,
            "changed_by": None if self.changed_by is None else self.changed_by.get_username(),
            "client": self.client,
            "changed_at": self.changed_at.isoformat(),
        }


def is_key(text: str) -> bool:
    return 0 < len(text) <= LONGEST_KEY and "\x00" not in text  # which PostgreSQL has not


class RoomState:
    """The shared state of one room, by key.

    A version is the number of the room's change that wrote it. So one that was removed and set again is at another
    version than before, and whoever expects the old one is told.
    """

    def __init__(self, room: "Room") -> None:
        self._room = room

    def uri(self, key: str) -> str:
        return f"{self._room.uri}/state/{quote(key, safe='')}"

    def all(self) -> list[SharedState]:
        return list(self._room.shared_state.select_related("changed_by").order_by("key"))

    def as_dict(self) -> dict[str, Any]:
        return dict(self._room.shared_state.order_by("key").values_list("key", "value"))

    def get(self, key: str) -> SharedState:
        """Raises: StateNotFound."""
        rows = self._room.shared_state.select_related("changed_by")
        found = rows.filter(key=key).first() if is_key(key) else None
        if found is None:
            raise StateNotFound(key)
        return found

    @transaction.atomic
    def set(
        self, key: str, value: Any, by: User, *, expected_version: int | None = None, client: str = ""
    ) -> SharedState:
        """Set one; if `expected_version` is given, only while it is at that version (0: while it is not there).

        Raises: RoomNotFound, StateConflict, RoomRefused, TooMuch.
        """
        if not is_key(key):
            raise RoomRefused(f"A key of shared state has 1 to {LONGEST_KEY} characters.")
        size = len(as_text(value).encode())
        found = self._held(key, by, expected_version)
        self._check_room(key, size, found)
        state = found or SharedState(room=self._room, key=key)
        state.value, state.size, state.changed_by, state.client = value, size, by, client
        state.changed_at, state.version = timezone.now(), self._room.state_changed(key)
        state.save()
        return state

    @transaction.atomic
    def remove(self, key: str, by: User, *, expected_version: int | None = None) -> None:
        """Raises: RoomNotFound, StateNotFound, StateConflict."""
        if not is_key(key):
            raise StateNotFound(key)
        found = self._held(key, by, expected_version)
        if found is None:
            raise StateNotFound(key)
        found.delete()
        self._room.state_changed(key)

    def _held(self, key: str, by: User, expected_version: int | None) -> SharedState | None:
        """What is under `key`, which nobody else changes until the transaction ends."""
        self._room.hold()
        self._room.member(by)
        found: SharedState | None = self._room.shared_state.filter(key=key).first()
        version = found.version if found is not None else 0
        if expected_version is not None and expected_version != version:
            raise StateConflict(key, found.value if found is not None else None, version)
        return found

    def _check_room(self, key: str, size: int, found: SharedState | None) -> None:
        """Where a bound was lowered since, what is there may stay, and shrink."""
        others = self._room.shared_state.exclude(key=key)
        kept = others.aggregate(keys=Count("pk"), bytes=Coalesce(Sum("size"), 0))
        if found is None:
            limits.ROOM_KEYS.check(kept["keys"] + 1)
        if found is None or size > found.size:
            limits.STATE_BYTES.check(kept["bytes"] + size)
