"""Credentials that are proved by showing a secret of ours, of which only a digest is kept."""

import hmac
from typing import Any, Self

from django.conf import settings
from django.db import models

from sessions_app import tokens

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
        """Make a secret for this unsaved row and keep its digest."""
        token = tokens.mint(self.PREFIX)
        self.public_id = token.public_id
        self.digest = tokens.digest(token, settings.SECRET_KEY)
        self.last_four = token.last_four
        return token

    def is_digest_of(self, token: tokens.Token) -> bool:
        return any(hmac.compare_digest(self.digest, candidate) for candidate in digests(token))

    @classmethod
    def shown_by(cls, token: tokens.Token) -> Self | None:
        """The valid one that `token` proves, with its user. One query."""
        found: Self | None = cls.objects.valid().by_token(token).select_related("user").first()
        return found if found is not None and found.is_digest_of(token) else None

    def is_due_to_note_use(self, token: tokens.Token | None = None) -> bool:
        """Once a minute; and at once if SECRET_KEY was rotated, so that fallbacks can be dropped."""
        is_old = token is not None and self.digest != tokens.digest(token, settings.SECRET_KEY)
        return is_old or super().is_due_to_note_use(token)

    def used_now(self, token: tokens.Token | None) -> dict[str, Any]:
        used = super().used_now(token)
        return used if token is None else {**used, "digest": tokens.digest(token, settings.SECRET_KEY)}


def digests(token: tokens.Token) -> list[str]:
    return [tokens.digest(token, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
