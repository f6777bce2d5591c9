from collections.abc import Iterable
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from collab_app import limits
from collab_app.exceptions import RoomRefused
from sessions_app.models import User

LONGEST_KEY = 128
LONGEST_CLIENT = 100
MOST_MESSAGES = 100
LARGEST_ANSWER = 256 * 1024
"""Messages in one answer, and bytes of their texts. What is more comes in the next."""
GONE = "a former user"
"""Who said it, when his account was deleted."""


class MessageQuerySet(models.QuerySet["Message"]):
    def after(self, sequence: int, most: int = MOST_MESSAGES) -> list["Message"]:
        """The next ones, oldest first, with their authors."""
        return within(self.told().filter(sequence__gt=sequence).order_by("sequence")[:most])

    def before(self, sequence: int, most: int = MOST_MESSAGES) -> list["Message"]:
        """Those just before, oldest first."""
        return within(self.told().filter(sequence__lt=sequence).order_by("-sequence")[:most])[::-1]

    def latest_ones(self, most: int) -> list["Message"]:
        """Oldest first."""
        return within(self.told().order_by("-sequence")[:most])[::-1]

    def told(self) -> Self:
        return self.select_related("author")

    def said(self, author: User, key: str, text: str) -> "Message | None":
        """What this author said under this idempotency key. Raises: RoomRefused if that was something else."""
        found = self.filter(author=author, idempotency_key=key).select_related("author").first() if key else None
        if found is not None and found.text != text:
            raise RoomRefused("This idempotency key was used for another message.", status=409)
        return found


def within(messages: Iterable["Message"]) -> list["Message"]:
    """As many of them as fit into one answer; one at least."""
    kept: list[Message] = []
    size = 0
    for message in messages:
        size += len(message.text.encode())
        if kept and size > LARGEST_ANSWER:
            break
        kept.append(message)
    return kept


class Message(models.Model):
    """One thing that was said in a room. Never changed; it outlives the account of its author."""

    room = models.ForeignKey("collab_app.Room", on_delete=models.CASCADE, related_name="messages")
    sequence = models.PositiveBigIntegerField(help_text="Its number in the room: 1, 2, 3, without a gap.")
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="messages")
    client = models.CharField(max_length=LONGEST_CLIENT, blank=True, help_text="By which MCP client, if by one.")
    text = models.TextField()
    posted_at = models.DateTimeField(default=timezone.now)
    idempotency_key = models.CharField(max_length=LONGEST_KEY, blank=True, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        db_table = "collab_message"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["room", "sequence"], name="one_message_a_number"),
            models.UniqueConstraint(
                fields=["room", "author", "idempotency_key"],
                condition=~Q(idempotency_key=""),
                name="one_message_a_key",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.sequence} in {self.room}"

    @property
    def author_name(self) -> str:
        return GONE if self.author is None else self.author.get_username()

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, everywhere alike."""
        return {
            "sequence": self.sequence,
            "author": None if self.author is None else self.author.get_username(),
            "client": self.client,
            "text": self.text,
            "posted_at": self.posted_at.isoformat(),
        }


def check_message(text: str, key: str) -> None:
    """Raises: RoomRefused, TooMuch."""
    if not text.strip():
        raise RoomRefused("A message has a text.")
    limits.MESSAGE_BYTES.check(len(text.encode()))
    if len(key) > LONGEST_KEY or "\x00" in text + key:
        raise RoomRefused(f"A message has no NUL in it, and its idempotency key at most {LONGEST_KEY} characters.")
