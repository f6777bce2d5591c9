from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from collab_app.exceptions import RoomRefused
from sessions_app.models import User
from sessions_app.plain_text import visible

if TYPE_CHECKING:
    from .room import Room

PRESENT = Q(joined_at__isnull=False, left_at=None)
INVITED = Q(invited_at__isnull=False) & ~PRESENT


class MembershipQuerySet(models.QuerySet["Membership"]):
    def present(self) -> Self:
        """Joined, and not left. Of open rooms: who closes one ends them all."""
        return self.filter(PRESENT)

    def invited(self) -> Self:
        """May join, and did not yet."""
        return self.filter(INVITED)

    def counted(self) -> Self:
        """Those that have a place in the room."""
        return self.filter(PRESENT | INVITED)

    def begin(self, room: "Room", user: User, role: str = "member") -> "Membership":
        """From now on. What he has not read is what will be said."""
        state = {
            "role": role, "joined_at": timezone.now(), "left_at": None, "invited_at": None, "was_removed": False,
            "last_read": room.last_sequence,
        }  # fmt: skip
        membership, _ = self.update_or_create(room=room, user=user, defaults=state)
        return membership

    def invite(self, room: "Room", user: User, by: User) -> "Membership":
        state = {"invited_at": timezone.now(), "invited_by": by, "was_removed": False}
        membership, _ = self.update_or_create(room=room, user=user, defaults=state)
        return membership


class Membership(models.Model):
    """What one user is to one room: invited, in it, or gone from it. Joining again goes on with the same row."""

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        MEMBER = "member", "Member"

    room = models.ForeignKey("collab_app.Room", on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    invited_at = models.DateTimeField(null=True, blank=True, help_text="Until he joins.")
    invited_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    joined_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    was_removed = models.BooleanField("removed", default=False, help_text="He comes back only by an invitation.")
    last_read = models.PositiveBigIntegerField(default=0, help_text="The number of the last message he has seen.")

    objects = MembershipQuerySet.as_manager()

    class Meta:
        db_table = "collab_membership"
        ordering = ["room", "joined_at"]
        constraints = [models.UniqueConstraint(fields=["room", "user"], name="one_membership_each")]
        indexes = [models.Index(fields=["user"], condition=Q(left_at=None), name="memberships_now")]

    def __str__(self) -> str:
        return f"{visible(self.user.get_username())} in {self.room}"

    @property
    def is_present(self) -> bool:
        return self.joined_at is not None and self.left_at is None

    @property
    def is_invited(self) -> bool:
        return self.invited_at is not None and not self.is_present

    @property
    def status(self) -> str:
        """In a word, for who looks."""
        if self.is_present:
            return str(self.get_role_display())
        if self.is_invited:
            return "Invited"
        return "Removed" if self.was_removed else "Left"

    @property
    def is_owner(self) -> bool:
        return self.role == self.Role.OWNER

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, everywhere alike."""
        role = self.role if self.is_present else "invited"
        return {"username": self.user.get_username(), "role": role}

    def end(self, *, was_removed: bool = False) -> None:
        self.left_at, self.invited_at, self.was_removed = timezone.now(), None, was_removed
        self.role = self.Role.MEMBER
        self.save(update_fields=["left_at", "invited_at", "was_removed", "role"])


def user_called(username: str) -> User:
    """Whom one may invite. Raises: RoomRefused."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise RoomRefused(f"There is no user {username}.", status=404)
    return user
