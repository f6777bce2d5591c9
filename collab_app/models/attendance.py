from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils import timezone

from collab_app.events import AttendanceChanged, changed
from sessions_app.models import User
from sessions_app.plain_text import visible

from .message import LONGEST_CLIENT

if TYPE_CHECKING:
    from .room import Room

HERE = timedelta(seconds=60)
"""Who was seen within that time is here."""
NOTED_EVERY = timedelta(seconds=20)
MOST_CLIENTS = 8
"""Of one user in one room; the one that was seen the longest time ago makes room for another."""


class AttendanceQuerySet(models.QuerySet["Attendance"]):
    def here(self) -> Self:
        return self.filter(seen_at__gt=timezone.now() - HERE)

    def left(self, room: "Room", user_id: int) -> None:
        """The last page of this user is gone."""
        if self.filter(room=room, user=user_id, client="").update(seen_at=timezone.now() - HERE):
            changed(AttendanceChanged(room.pk))

    def note(self, room: "Room", user: User, client: str) -> None:
        """Seen now. Others are told of who was not here before."""
        client = visible(client)[:LONGEST_CLIENT]
        mine = self.filter(room=room, user=user)
        found, now = mine.filter(client=client).first(), timezone.now()
        if found is not None and found.seen_at > now - NOTED_EVERY:
            return
        if found is None or found.seen_at <= now - HERE:
            changed(AttendanceChanged(room.pk))
        if found is None:
            oldest = mine.order_by("-seen_at").values_list("pk", flat=True)[MOST_CLIENTS - 1 :]
            self.filter(pk__in=list(oldest)).delete()
        self.update_or_create(room=room, user=user, client=client, defaults={"seen_at": now})


class Attendance(models.Model):
    """Who was seen in a room lately, and by which client: a person in a browser, or an agent for him."""

    room = models.ForeignKey("collab_app.Room", on_delete=models.CASCADE, related_name="attendances")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    client = models.CharField(max_length=LONGEST_CLIENT, blank=True, help_text="Empty: in a browser.")
    seen_at = models.DateTimeField(default=timezone.now)

    objects = AttendanceQuerySet.as_manager()

    class Meta:
        db_table = "collab_attendance"
        constraints = [models.UniqueConstraint(fields=["room", "user", "client"], name="one_attendance_each")]

    def __str__(self) -> str:
        return f"{self.user} by {self.client or 'a browser'}"

    def as_dict(self) -> dict[str, Any]:
        return {"username": self.user.get_username(), "client": self.client}
