"""What rooms hold about a person: what he said and did in them, and nothing of the others."""

from django.db.models import QuerySet

from sessions_app.holding import holding
from sessions_app.models import User

from .models import Attendance, Membership, Message, Room, SharedState

OF_ROOM = ("room__public_id", "room__name")


@holding("rooms", "public_id", "name", "by_invitation", "created_at", "active_at", "closed_at")
def rooms(user: User) -> QuerySet[Room]:
    """Those that he began."""
    return Room.objects.filter(creator=user)


@holding(
    "room-memberships", *OF_ROOM, "role", "invited_at", "joined_at", "left_at", "was_removed", "last_read"
)  # fmt: skip
def memberships(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user)


@holding("room-messages", *OF_ROOM, "sequence", "text", "client", "posted_at")
def messages(user: User) -> QuerySet[Message]:
    return Message.objects.filter(author=user)


@holding("room-state", *OF_ROOM, "key", "value", "version", "client", "changed_at")
def state(user: User) -> QuerySet[SharedState]:
    """What is as he set it."""
    return SharedState._default_manager.filter(changed_by=user)


@holding("room-attendances", *OF_ROOM, "client", "seen_at")
def attendances(user: User) -> QuerySet[Attendance]:
    return Attendance.objects.filter(user=user)
