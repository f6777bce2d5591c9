from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from sessions_app import tokens
from sessions_app.addresses import read_network
from sessions_app.exceptions import RotationRefused
from sessions_app.limits import API_KEY, Limit
from sessions_app.principal import Principal

from .opaque import Opaque, OpaqueQuerySet, digests, is_one_of, renewed
from .user import User

DEFAULT_LIFETIME = timedelta(days=90)
MOST_ADDRESSES = 20
OVERLAP, LONGEST_OVERLAP = timedelta(days=1), timedelta(days=7)
"""How long the secret before the newest is good for."""


class ApiKeyQuerySet(OpaqueQuerySet["ApiKey"]):
    def by_token(self, token: tokens.Token) -> Self:
        """Or whose secret `token` was until lately."""
        kept = digests(token)
        return self.filter(Q(digest__in=kept) | Q(previous_digest__in=kept, previous_until__gt=timezone.now()))


class ApiKey(Opaque):
    """A long-lived credential of one user, for a machine. A change of the user's password does not end it."""

    PREFIX = tokens.API_KEY
    IDENTITY = "api-key"

    name = models.CharField(max_length=100, help_text="What it is for: a machine, a client, a job.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")

    addresses = models.JSONField(
        default=list,
        blank=True,
        help_text="Networks that its requests may come from, such as 10.0.0.0/8. Empty: from anywhere.",
    )

    previous_digest = models.CharField(max_length=64, blank=True, editable=False)
    previous_until = models.DateTimeField(
        "previous secret until", null=True, blank=True, editable=False, help_text="Until then two secrets open it."
    )
    rotations = models.PositiveIntegerField(
        default=0, editable=False, help_text="The number of its newest secret. What is open knows by which it was."
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta(Opaque.Meta):
        abstract = False
        db_table = "sessions_api_key"
        default_related_name = "api_keys"
        ordering = ["-created_at"]
        verbose_name = "API key"
        indexes = [
            models.Index(fields=["previous_digest"], name="previous_digest_of_key"),
            models.Index(fields=["-created_at"], name="newest_keys"),
            models.Index(fields=["expires_at"], condition=Q(revoked_at=None), name="keys_by_their_end"),
        ]

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
        addresses: Collection[str] = (),
    ) -> tuple[Self, tokens.Token]:
        """A new key and its secret, which nobody can read again. `scopes=None` narrows nothing.

        Raises: ValidationError for a name that is empty or too long, a rate that is none, or an address that is.
        """
        key = cls(user=user, name=name, scopes=None if scopes is None else sorted(scopes), rate=rate)
        key.addresses = list(addresses)
        key.expires_at = key.created_at + lifetime if lifetime is not None else None
        token = key.give_secret()
        key.clean_fields(exclude=["user"])
        key.save(force_insert=True)
        return key, token

    @transaction.atomic
    def rotate(self, overlap: timedelta = OVERLAP) -> tokens.Token:
        """A new secret for the same key; the one before is good for `overlap` more, and none older is.

        Without an overlap the new one is the only one at once, whatever was before.
        Raises: RotationRefused for a key that is not valid, or has two secrets already.
        """
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise RotationRefused(f"An overlap is at most {LONGEST_OVERLAP.days} days.")
        now = type(self).objects.valid().select_for_update(of=("self",)).filter(pk=self.pk).first()
        if now is None:
            raise RotationRefused("Only a valid key can be rotated.")
        if overlap and now.has_previous:
            raise RotationRefused(
                f"It was rotated lately: two secrets are good until {now.previous_until:%Y-%m-%d %H:%M} UTC."
                " Wait until then, or rotate it without an overlap."
            )
        self.previous_digest = now.digest if overlap else ""
        self.previous_until = timezone.now() + overlap if overlap else None
        self.rotations = now.rotations + 1
        token = self.give_secret()
        self.save(update_fields=["digest", "last_four", "previous_digest", "previous_until", "rotations"])
        return token

    @property
    def has_previous(self) -> bool:
        return self.previous_until is not None and self.previous_until > timezone.now()

    @property
    def kept_digests(self) -> tuple[str, ...]:
        return (self.digest, self.previous_digest) if self.has_previous else (self.digest,)

    def has_secret(self, number: int) -> bool:
        """Whether its `number`-th secret is good now."""
        return number == self.rotations or (number == self.rotations - 1 and self.has_previous)

    def shown_as(self, principal: Principal, token: tokens.Token) -> Principal:
        """What is open ends with the secret that it was opened by, not with the key."""
        return self.by_secret(principal, self.rotations if is_one_of(self.digest, token) else self.rotations - 1)

    def by_secret(self, principal: Principal, number: int) -> Principal:
        return replace(principal, token=f"{self.credential}.{number}") if number else principal

    def used_now(self, token: tokens.Token | None) -> dict[str, Any]:
        used = super().used_now(token)
        return used if token is None else {**used, "previous_digest": renewed("previous_digest", token)}

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields(exclude)
        if "addresses" not in (exclude or ()):
            self.addresses = read_addresses(self.addresses)

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(self.addresses)

    @property
    def label(self) -> str:
        return self.name

    def own_limit(self) -> Limit:
        """Each key has one."""
        return API_KEY.at(self.rate)


def read_addresses(addresses: Any) -> list[str]:
    """As they are kept: each once, in the order given. Raises: ValidationError, of the field `addresses`."""
    if not isinstance(addresses, list) or not all(isinstance(text, str) for text in addresses):
        raise ValidationError({"addresses": "A list of networks, each a text."})
    if len(addresses) > MOST_ADDRESSES:
        raise ValidationError({"addresses": f"At most {MOST_ADDRESSES} networks."})
    try:
        return list(dict.fromkeys(read_network(text.strip()) for text in addresses))
    except ValueError as error:
        raise ValidationError({"addresses": str(error)}) from None
