import re
import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Count, Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from collab_app import limits
from collab_app.events import members_changed
from collab_app.exceptions import RoomExists, RoomNotFound, RoomRefused
from sessions_app.models import User
from sessions_app.plain_text import is_plain

from .membership import Membership

if TYPE_CHECKING:
    from .room import Room

PUBLIC_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
"""RFC 3986's unreserved characters, so that it is the same in a URI, a path and a line of text."""
LONGEST_NAME = 100
DIRECTIONS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def new_public_id() -> str:
    """Unguessable: who knows the id of an open room may join it."""
    return secrets.token_hex(10)


class RoomQuerySet(models.QuerySet["Room"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def closed(self) -> Self:
        return self.exclude(closed_at=None)

    def of(self, user_id: int | None) -> Self:
        """The open ones that this user is in."""
        return self.open().filter(Exists(Membership.objects.present().filter(room=OuterRef("pk"), user=user_id)))

    def inviting(self, user_id: int | None) -> Self:
        """The open ones that wait for this user."""
        return self.open().filter(Exists(Membership.objects.invited().filter(room=OuterRef("pk"), user=user_id)))

    def empty(self) -> Self:
        """Open, though nobody is in: as a row that was deleted past us leaves it."""
        return self.open().exclude(Exists(Membership.objects.present().filter(room=OuterRef("pk"))))

    def idle(self) -> Self:
        """Open, and nothing happened in it for `CONCIERGE_ROOM_IDLE_DAYS`."""
        return self.open().filter(active_at__lt=days_ago(settings.CONFIG.room_idle_days))

    def past(self) -> Self:
        """Closed for `CONCIERGE_ROOM_HISTORY_DAYS`."""
        return self.filter(closed_at__lt=days_ago(settings.CONFIG.room_history_days))

    def overseen(self) -> Self:
        """With `members_now`, how many, and `owner_now`, a user's id; as operators look at them."""
        present = Membership.objects.present().filter(room=OuterRef("pk")).order_by()
        counted = present.values("room").annotate(members=Count("pk")).values("members")
        owner = present.filter(role=Membership.Role.OWNER).values("user")[:1]
        return self.annotate(members_now=Coalesce(Subquery(counted), 0), owner_now=Subquery(owner))

    def seen_by(self, user_id: int | None, public_id: str) -> "Room":
        """The open room of that id, of which this user is a member. Raises: RoomNotFound."""
        room = self.of(user_id).filter(public_id=public_id).first()
        if room is None:
            raise RoomNotFound(public_id)
        return room

    def known_to(self, user_id: int | None, public_id: str) -> "Room":
        """The open room of that id, which this user is in or invited to. Raises: RoomNotFound."""
        known = Membership.objects.counted().filter(room=OuterRef("pk"), user=user_id)
        room = self.open().filter(Exists(known), public_id=public_id).first()
        if room is None:
            raise RoomNotFound(public_id)
        return room

    def open_by_id(self, public_id: str) -> "Room":
        """For who is about to join. Raises: RoomNotFound."""
        room = self.open().filter(public_id=public_id).first()
        if room is None:
            raise RoomNotFound(public_id)
        return room

    @transaction.atomic
    def start(self, creator: User, name: str, public_id: str = "", *, by_invitation: bool = False) -> "Room":
        """A new room with its creator in it, as its owner. Raises: RoomRefused, RoomExists, TooMuch."""
        public_id = public_id or new_public_id()
        if PUBLIC_ID.fullmatch(public_id) is None:
            raise RoomRefused(
                "A room's id has 1 to 64 letters, digits and any of . _ ~ -, and begins with a letter or digit."
            )
        if not is_name(name.strip()):
            raise RoomRefused(f"A room's name has 1 to {LONGEST_NAME} characters, in one line, and can be seen.")
        check_places_of(creator)
        try:
            with transaction.atomic():
                room = self.create(
                    public_id=public_id, name=name.strip(), creator=creator, by_invitation=by_invitation
                )
        except IntegrityError:
            raise RoomExists(public_id) from None
        Membership.objects.begin(room, creator, Membership.Role.OWNER)
        members_changed(room, creator.pk)
        return room

    def close(self) -> int:
        """Each of them. How many were open."""
        return sum(room.close() for room in self.order_by("pk"))


def check_places_of(user: User) -> None:
    """Raises: TooMuch if this user is in as many rooms as he may be. The answer holds to the transaction's end.

    Before any room is held: whoever takes both takes them in this order.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    limits.ROOMS_OF_ONE.check(Membership.objects.present().filter(user=user).count() + 1)


def is_name(text: str) -> bool:
    """Something to see, and nothing that acts on what stands beside it: line breaks, escapes, direction marks."""
    acts = any(unicodedata.category(char) in ("Cc", "Zl", "Zp") or char in DIRECTIONS for char in text)
    return len(text) <= LONGEST_NAME and not acts and any(is_plain(char) and char != " " for char in text)


def days_ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)
