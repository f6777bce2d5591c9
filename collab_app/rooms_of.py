"""The rooms of one user, as lists show them."""

from typing import Any

from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from .models import Membership, Room
from .models.room_queryset import RoomQuerySet

PAGE = 50
"""Rooms in one answer."""


def rooms_of(user_id: int, after: str = "", most: int | None = PAGE + 1) -> list[dict[str, Any]]:
    """By their ids, after that one; all of them, if `most` is None."""
    return [listed(room) for room in counted(Room.objects.of(user_id), user_id).filter(public_id__gt=after)[:most]]


def invitations_of(user_id: int) -> list[dict[str, Any]]:
    """The newest ones first: nobody's many hide what came later."""
    invited = Membership.objects.invited().filter(room=OuterRef("pk"), user=user_id)
    rooms: Any = counted(Room.objects.inviting(user_id), user_id)
    newest = rooms.annotate(invited_at=Subquery(invited.values("invited_at")[:1])).order_by("-invited_at", "pk")
    return [listed(room) for room in newest[:PAGE]]


def counted(rooms: RoomQuerySet, user_id: int) -> RoomQuerySet:
    """With `participants`, and `unread` by this user."""
    mine = Membership.objects.present().filter(room=OuterRef("pk"), user=user_id)
    read = Coalesce(Subquery(mine.values("last_read")[:1]), F("last_sequence"))
    present = Q(memberships__joined_at__isnull=False, memberships__left_at=None)
    counts = rooms.annotate(participants=Count("memberships", filter=present), unread=F("last_sequence") - read)
    return counts.order_by("public_id")


def listed(room: Any) -> dict[str, Any]:
    """One of those."""
    return {
        "id": room.public_id,
        "name": room.name,
        "by_invitation": room.by_invitation,
        "participants": room.participants,
        "unread": room.unread,
        "active_at": room.active_at,
    }
