"""Credentials that are proved by showing a secret of ours, of which only a digest is kept."""

import hmac
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, F, Value, When

from sessions_app import tokens
from sessions_app.principal import Principal

from .credential import Credential, CredentialQuerySet


class OpaqueQuerySet[C: "Opaque"](CredentialQuerySet[C]):
    def by_token(self, token: tokens.Token) -> Self:
        """The one that `token` is, under the current SECRET_KEY or one of its fallbacks."""
        return self.filter(digest__in=digests(token))


class Opaque(Credential):
    """The secret is shown once; only its digest is here."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)

    objects: Any

    class Meta(Credential.Meta):
        abstract = True

    def give_secret(self) -> tokens.Token:
        """Make a secret and keep its digest here, unsaved. Its public id is this row's, if that has one."""
        token = tokens.mint(self.PREFIX, self.public_id)
        self.public_id = token.public_id
        self.digest = tokens.digest(token, settings.SECRET_KEY)
        self.last_four = token.last_four
        return token

    @property
    def kept_digests(self) -> tuple[str, ...]:
        """Of the secrets that it is proved by now."""
        return (self.digest,)

    def is_proved_by(self, token: tokens.Token) -> bool:
        return any(is_one_of(kept, token) for kept in self.kept_digests)

    def shown_as(self, principal: Principal, token: tokens.Token) -> Principal:
        """`principal`, who is this credential's, as one who showed `token`."""
        return principal

    @classmethod
    def shown_by(cls, token: tokens.Token) -> Self | None:
        """The valid one that `token` proves, with its user. One query."""
        found: Self | None = cls.objects.valid().by_token(token).select_related("user").first()
        return found if found is not None and found.is_proved_by(token) else None

    @classmethod
    def message_for(cls, token: tokens.Token) -> str:
        """What the holder of a revoked one is told: only whoever shows the whole secret. One query."""
        revoked = cls.objects.by_token(token).exclude(revoked_at=None).exclude(revoked_message="").first()
        return revoked.revoked_message if revoked is not None and revoked.is_proved_by(token) else ""

    def is_due_to_note_use(self, token: tokens.Token | None = None) -> bool:
        """Once a minute; and at once if SECRET_KEY was rotated, so that fallbacks can be dropped."""
        is_old = token is not None and tokens.digest(token, settings.SECRET_KEY) not in self.kept_digests
        return is_old or super().is_due_to_note_use(token)

    def used_now(self, token: tokens.Token | None) -> dict[str, Any]:
        used = super().used_now(token)
        return used if token is None else {**used, "digest": renewed("digest", token)}


def digests(token: tokens.Token) -> list[str]:
    return [tokens.digest(token, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def is_one_of(kept: str, token: tokens.Token) -> bool:
    """Whether `kept` is the digest of `token`, under the current SECRET_KEY or one of its fallbacks."""
    return any(hmac.compare_digest(kept, candidate) for candidate in digests(token))


def renewed(field: str, token: tokens.Token) -> Case:
    """What `field` is to hold: the digest of `token` under the current SECRET_KEY, if it is one of `token` still.

    The row may have got another secret since it was read.
    """
    current = Value(tokens.digest(token, settings.SECRET_KEY))
    return Case(When(**{f"{field}__in": digests(token)}, then=current), default=F(field))
