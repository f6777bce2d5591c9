from collections.abc import Collection
from datetime import timedelta
from typing import Self

from django.db import models

from sessions_app import tokens
from sessions_app.limits import API_KEY, Limit

from .opaque import Opaque, OpaqueQuerySet
from .user import User

DEFAULT_LIFETIME = timedelta(days=90)


class ApiKeyQuerySet(OpaqueQuerySet["ApiKey"]):
    pass


class ApiKey(Opaque):
    """A long-lived credential of one user, for a machine. A change of the user's password does not end it."""

    PREFIX = tokens.API_KEY
    IDENTITY = "api-key"

    name = models.CharField(max_length=100, help_text="What it is for: a machine, a client, a job.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")

    objects = ApiKeyQuerySet.as_manager()

    class Meta(Opaque.Meta):
        abstract = False
        db_table = "sessions_api_key"
        default_related_name = "api_keys"
        ordering = ["-created_at"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…{self.last_four})"

    @classmethod
    def mint(
        cls,
        user: User,
        name: str,
        *,
        scopes: Collection[str] | None = None,
        lifetime: timedelta | None = DEFAULT_LIFETIME,
        rate: str = "",
    ) -> tuple[Self, tokens.Token]:
        """A new key and its secret, which nobody can read again. `scopes=None` narrows nothing.

        Raises: ValidationError for a name that is empty or too long, or a rate that is none.
        """
        key = cls(user=user, name=name, scopes=None if scopes is None else sorted(scopes), rate=rate)
        key.expires_at = key.created_at + lifetime if lifetime is not None else None
        token = key.give_secret()
        key.clean_fields(exclude=["user"])
        key.save(force_insert=True)
        return key, token

    @property
    def label(self) -> str:
        return self.name

    def own_limit(self) -> Limit:
        """Each key has one."""
        return API_KEY.at(self.rate)
