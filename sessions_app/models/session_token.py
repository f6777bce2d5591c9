from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from sessions_app import tokens

from .opaque import Opaque, OpaqueQuerySet
from .sign_in import SignIn, made_since_password_change, over
from .user import User

DEFAULT_LIFETIME = timedelta(days=14)
DEFAULT_IDLE_LIFETIME = timedelta(hours=24)
SHORTEST_IDLE_LIFETIME = timedelta(minutes=5)
"""Use is noted once a minute, so an idle lifetime may end up to a minute early; that must stay a small part."""


class SessionTokenQuerySet(OpaqueQuerySet["SessionToken"]):
    def valid(self) -> Self:
        """Besides: made after its user's password was last changed, and used lately."""
        return super().valid().filter(made_since_password_change(), idle_expires_at__gt=timezone.now())

    def over(self, since: datetime) -> Self:
        """Revoked, expired or left idle, already at `since`."""
        return self.filter(over(since) | Q(idle_expires_at__lte=since))


# What Django makes of a date field is not generic; whether mypy sees that depends on what it reads first.
class SessionToken(Opaque, SignIn):  # type: ignore[misc, unused-ignore]
    """What a person's client works with after a sign-in. It ends when it is not used for a while."""

    PREFIX = tokens.SESSION_TOKEN
    IDENTITY = "session-token"

    name = models.CharField(max_length=100, blank=True, help_text="What it is for, if somebody said so.")
    idle_lifetime = models.DurationField(default=DEFAULT_IDLE_LIFETIME, editable=False)
    idle_expires_at = models.DateTimeField("ends if unused until", editable=False)

    objects = SessionTokenQuerySet.as_manager()

    class Meta(Opaque.Meta):
        abstract = False
        db_table = "sessions_session_token"
        default_related_name = "session_tokens"
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["-created_at"], name="newest_tokens")]

    def __str__(self) -> str:
        return f"{self.name or 'session token'} ({self.prefix}…{self.last_four})"

    @classmethod
    @transaction.atomic
    def mint(
        cls,
        user: User,
        name: str = "",
        *,
        scopes: Collection[str] | None = None,
        lifetime: timedelta = DEFAULT_LIFETIME,
        idle_lifetime: timedelta = DEFAULT_IDLE_LIFETIME,
        ip: str | None = None,
        user_agent: str = "",
    ) -> tuple[Self, tokens.Token]:
        """A new one and its secret, which nobody can read again. `user` is as his password was checked.

        Raises: ValidationError for a name that is too long or a lifetime that is too short, Unauthenticated.
        """
        made = cls.begin(user, name=name, scopes=scopes, lifetime=lifetime, ip=ip, user_agent=user_agent)
        made.idle_lifetime = idle_lifetime
        made.idle_expires_at = made.created_at + idle_lifetime
        token = made.give_secret()
        made.clean_fields(exclude=["user"])
        made.save(force_insert=True)
        transaction.on_commit(made.note_sign_in)
        return made, token

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields(exclude)
        if self.idle_lifetime < SHORTEST_IDLE_LIFETIME:
            raise ValidationError({"idle_lifetime": "An idle lifetime is at least 5 minutes."})

    @property
    def label(self) -> str:
        return self.name or self.user.get_username()

    @property
    def status(self) -> str:
        status = super().status
        return "expired" if status == "valid" and self.idle_expires_at <= timezone.now() else status

    def used_now(self, token: tokens.Token | None) -> dict[str, Any]:
        return {**super().used_now(token), "idle_expires_at": timezone.now() + self.idle_lifetime}
