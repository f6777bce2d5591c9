import logging

from django.db import models, transaction
from django.utils import timezone

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated

from .opaque import digests
from .token_family import TokenFamily

logger = logging.getLogger(__name__)

USED_TWICE = "a refresh token was used twice"


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    def redeem(self, secret: str) -> tuple[TokenFamily, tokens.Token]:
        """The family of this refresh token, and the next one. It works once.

        Whoever shows a used one is a thief, or has been robbed: the family ends, for both. Of two at the same
        moment exactly one gets an answer, and the other ends the family.
        Raises: Unauthenticated. Not in a transaction: with it, what ended the family would be rolled back.
        """
        token = tokens.parse(secret)
        if token is None or token.prefix != tokens.REFRESH_TOKEN:
            raise Unauthenticated("not a refresh token")
        redeemed = self.rotate(token)
        if redeemed is None:
            raise Unauthenticated("a refresh token that is unknown, over or used")
        return redeemed

    @transaction.atomic(durable=True)
    def rotate(self, token: tokens.Token) -> tuple[TokenFamily, tokens.Token] | None:
        shown = self.filter(digest__in=digests(token)).first()
        # Locked: a second use at the same moment waits here, until the first has been noted.
        valid = TokenFamily.objects.valid().select_related("user").select_for_update(of=("self",))
        family = valid.filter(pk=shown.family_id).first() if shown is not None else None
        if family is None:
            return None
        if not self.filter(digest__in=digests(token), used_at=None).update(used_at=timezone.now()):
            logger.warning("%s of %s: %s", family, family.user, USED_TWICE)
            family.revoke(USED_TWICE)
            return None
        family.note_use()
        return family, family.issue_refresh_token()


class RefreshToken(models.Model):
    """What an access token is renewed with, once. Used ones stay as long as their family: to be recognised."""

    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, related_name="refresh_tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)

    objects = RefreshTokenQuerySet.as_manager()

    class Meta:
        db_table = "sessions_refresh_token"

    def __str__(self) -> str:
        return f"refresh token of {self.family}"
