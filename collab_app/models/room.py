from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from collab_app import limits
from collab_app.events import MessagePosted, StateChanged, changed, members_changed
from collab_app.exceptions import RoomNotFound, RoomRefused
from collab_app.permissions import MEET
from sessions_app.models import User
from sessions_app.plain_text import visible

from .attendance import Attendance
from .membership import Membership
from .message import Message, check_message
from .room_queryset import LONGEST_NAME, RoomQuerySet, check_places_of, new_public_id
from .shared_state import RoomState

MOST_HEIRS = 20
"""Members who are looked at for one who may own the room."""


class Room(models.Model):
    """Where people and agents meet: members, messages in one order, and shared state.

    Whatever changes one holds the room's row until its transaction ends; so its numbers have no gap, and who reads
    on from a number misses nothing.
    """

    public_id = models.CharField("room id", max_length=64, default=new_public_id)
    name = models.CharField(max_length=LONGEST_NAME)
    creator = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    by_invitation = models.BooleanField(default=False, help_text="Else whoever knows its id may join.")
    last_sequence = models.PositiveBigIntegerField(default=0, help_text="The number of its newest message.")
    revision = models.PositiveBigIntegerField(default=0, help_text="Grows with each change of members or state.")
    created_at = models.DateTimeField(default=timezone.now)
    active_at = models.DateTimeField(default=timezone.now, help_text="When something was last written in it.")
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = RoomQuerySet.as_manager()

    class Meta:
        db_table = "collab_room"
        ordering = ["-active_at"]
        indexes = [
            models.Index(fields=["-active_at"], name="room_activity"),
            models.Index(fields=["closed_at"], name="room_closed"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["public_id"], condition=Q(closed_at=None), name="one_open_room_of_an_id"
            )
        ]
        permissions = [("export_room", "Can export rooms")]

    def __str__(self) -> str:
        return f"{visible(self.name)} ({self.public_id})"

    @property
    def uri(self) -> str:
        return f"room://{self.public_id}"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def state(self) -> RoomState:
        return RoomState(self)

    # --- Members ---

    @transaction.atomic
    def join(self, user: User) -> Membership:
        """Again changes nothing. Raises: RoomNotFound for who is not invited or was removed; TooMuch."""
        if not self.memberships.present().filter(user=user).exists():
            check_places_of(user)
        self.hold()
        found = self.memberships.filter(user=user).first()
        if found is not None and found.is_present:
            return found
        if (self.by_invitation or (found and found.was_removed)) and not (found and found.is_invited):
            raise RoomNotFound(self.public_id)
        if found is None or not found.is_invited:  # an invitation has a place already
            limits.ROOM_MEMBERS.check(self.memberships.counted().count() + 1)
        membership = Membership.objects.begin(self, user)
        self._members_changed(user.pk)
        return membership

    @transaction.atomic
    def invite(self, user: User, by: User) -> Membership:
        """Let him join, also if he was removed; as any member may. Raises: RoomNotFound, TooMuch."""
        self.hold()
        self.member(by)
        found = self.memberships.filter(user=user).first()
        if found is not None and (found.is_present or found.is_invited):
            return found
        limits.ROOM_MEMBERS.check(self.memberships.counted().count() + 1)
        membership = Membership.objects.invite(self, user, by)
        self._members_changed(user.pk)
        return membership

    @transaction.atomic
    def leave(self, user: User) -> None:
        """Whoever was invited declines. The last who leaves closes the room. Raises: RoomNotFound."""
        self.hold()
        membership = self.memberships.filter(user=user).first()
        if membership is None or not (membership.is_present or membership.is_invited):
            raise RoomNotFound(self.public_id)
        self._end(membership)

    @transaction.atomic
    def remove(self, user: User, by: User) -> None:
        """As an owner. He comes back only when he is invited. Raises: RoomNotFound, RoomRefused."""
        self.hold()
        if self.member(by).role != Membership.Role.OWNER:
            raise RoomRefused("Only the room's owner may remove somebody.", status=403)
        self.put_out(user)

    @transaction.atomic
    def put_out(self, user: User) -> None:
        """The same by an operator. Raises: RoomNotFound."""
        self.hold()
        membership = self.memberships.filter(user=user).first()
        if membership is None or not (membership.is_present or membership.is_invited):
            raise RoomRefused(f"{user.get_username()} is not in the room.", status=404)
        self._end(membership, was_removed=True)

    def _end(self, membership: Membership, *, was_removed: bool = False) -> None:
        """An owner's place passes to who is in for longest and may act. Where nobody is left it is closed."""
        membership.end(was_removed=was_removed)
        present = self.memberships.present().order_by("joined_at", "pk")
        if not present.exists():
            self.close()
        elif not present.filter(role=Membership.Role.OWNER).exists():
            heirs = present.select_related("user")[:MOST_HEIRS]
            heir = next((each for each in heirs if MEET in each.user.permission_names()), heirs[0])
            present.filter(pk=heir.pk).update(role=Membership.Role.OWNER)
        self._members_changed(membership.user_id)

    def _members_changed(self, user_id: int) -> None:
        self._touch(revision=self.revision + 1)
        members_changed(self, user_id)

    def member_called(self, username: str) -> User:
        """Who is in it or invited, whatever became of his account. Raises: RoomRefused."""
        rows = self.memberships.counted().select_related("user")
        found = None if "\x00" in username else rows.filter(user__username=username).first()  # PostgreSQL has none
        if found is None:
            raise RoomRefused(f"{username} is not in the room.", status=404)
        return found.user

    def member(self, user: User) -> Membership:
        """Raises: RoomNotFound."""
        membership = self.memberships.present().filter(user=user).first()
        if membership is None:
            raise RoomNotFound(self.public_id)
        return membership

    # --- Messages ---

    @transaction.atomic
    def post(self, author: User, text: str, *, client: str = "", key: str = "") -> Message:
        """Say something, under the next number. With an idempotency key it is said once, however often it is sent.

        Raises: RoomNotFound, RoomRefused, TooMuch.
        """
        check_message(text, key)
        self.hold()
        self.member(author)
        if (said := self.messages.said(author, key, text)) is not None:
            self._posted(said)  # whoever sends it again may do so because nobody was told: the process was killed
            return said
        self._touch(last_sequence=self.last_sequence + 1)
        # Who had read all that was said before has read his own words, too.
        self.memberships.filter(user=author, last_read=self.last_sequence - 1).update(last_read=self.last_sequence)
        message = self.messages.create(
            sequence=self.last_sequence, author=author, client=client, text=text, idempotency_key=key
        )
        self._posted(message)
        return message

    def _posted(self, message: Message) -> None:
        changed(MessagePosted(self.pk, message.sequence), self.uri, f"{self.uri}/messages")

    def read(self, user: User, sequence: int) -> None:
        """Note how far this user has read: never back, and never beyond what is there."""
        mine = self.memberships.present().filter(user=user, last_read__lt=min(sequence, self.last_sequence))
        mine.update(last_read=min(sequence, self.last_sequence))

    # --- The room itself ---

    @transaction.atomic
    def close(self) -> bool:
        """For good. What was said stays for history; its id is free again. False if it was closed before."""
        if not Room.objects.open().filter(pk=self.pk).select_for_update(no_key=True).exists():
            return False
        left = list(self.memberships.counted().values_list("user_id", flat=True))
        self.memberships.counted().update(left_at=timezone.now(), invited_at=None)
        self._touch(closed_at=timezone.now())
        members_changed(self, *left)
        return True

    def hold(self) -> None:
        """Nobody else changes this room until the transaction ends. Raises: RoomNotFound if it was closed.

        Not the strongest lock: rows that only refer to the room, such as who is here, are written meanwhile.
        """
        try:
            self.refresh_from_db(from_queryset=Room.objects.open().select_for_update(no_key=True))
        except Room.DoesNotExist:
            raise RoomNotFound(self.public_id) from None

    def state_changed(self, key: str) -> int:
        """What the change is numbered."""
        self._touch(revision=self.revision + 1)
        changed(StateChanged(self.pk, self.revision), self.uri, self.state.uri(key))
        return self.revision

    def _touch(self, **fields: object) -> None:
        for name, value in (fields | {"active_at": timezone.now()}).items():
            setattr(self, name, value)
        self.save(update_fields=[*fields, "active_at"])

    def attend(self, user: User, client: str = "") -> None:
        """`user` is here, by that client; in a browser if it has no name."""
        Attendance.objects.note(self, user, client)
