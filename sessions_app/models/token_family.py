from collections.abc import Collection
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction

from sessions_app import tokens

from .opaque import digests
from .sign_in import SignIn, SignInQuerySet
from .user import User

LIFETIME = timedelta(days=30)
"""From the sign-in to the next one, however often its tokens are refreshed."""


class TokenFamilyQuerySet(SignInQuerySet["TokenFamily"]):
    def by_prefix(self, prefix: str) -> Self:
        """Or (pasted) by any of its refresh tokens, a used one included."""
        token = tokens.parse(prefix)
        if token is not None and token.prefix == tokens.REFRESH_TOKEN:
            return self.filter(refresh_tokens__digest__in=digests(token))
        return super().by_prefix(prefix)


class TokenFamily(SignIn):
    """One sign-in for a pair of tokens, and all that they were refreshed to: they are revoked together.

    Sessions bind to it, not to the tokens, so a refreshed token continues them. Access tokens are not kept
    (`sessions_app/jwt/own.py`); each names its family.
    """

    PREFIX = tokens.TOKEN_FAMILY
    IDENTITY = "family"

    public_id = models.CharField(
        max_length=tokens.PUBLIC_ID_LENGTH, unique=True, default=tokens.new_public_id, editable=False
    )

    objects = TokenFamilyQuerySet.as_manager()

    class Meta(SignIn.Meta):
        abstract = False
        db_table = "sessions_token_family"
        default_related_name = "token_families"
        ordering = ["-created_at"]
        verbose_name_plural = "token families"
        indexes = [models.Index(fields=["-created_at"], name="newest_families")]

    def __str__(self) -> str:
        return f"tokens {self.prefix}"

    @classmethod
    @transaction.atomic
    def open(
        cls,
        user: User,
        *,
        scopes: Collection[str] | None = None,
        lifetime: timedelta = LIFETIME,
        ip: str | None = None,
        user_agent: str = "",
    ) -> tuple[Self, tokens.Token]:
        """A new one and its first refresh token. `user` is as his password was checked.

        Raises: Unauthenticated.
        """
        family = cls.begin(user, scopes=scopes, lifetime=lifetime, ip=ip, user_agent=user_agent)
        family.save(force_insert=True)
        transaction.on_commit(family.note_sign_in)
        return family, family.issue_refresh_token()

    def issue_refresh_token(self) -> tokens.Token:
        token = tokens.mint(tokens.REFRESH_TOKEN)
        self.refresh_tokens.create(digest=tokens.digest(token, settings.SECRET_KEY))
        return token
