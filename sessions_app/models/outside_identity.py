import logging
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from .revoked_token import LONGEST_ISSUER
from .user import User

logger = logging.getLogger(__name__)

LONGEST_SUBJECT = 200
LONGEST_IDENTITY = 255
"""What a session has room for."""


class OutsideIdentity(models.Model):
    """Who somebody is to an outside issuer. An operator says so; until then its tokens are nobody's."""

    IDENTITY: ClassVar[str] = "issuer"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="outside_identities")
    issuer = models.CharField(max_length=LONGEST_ISSUER, help_text="As in CONCIERGE_JWT_ISSUERS.")
    subject = models.CharField(max_length=LONGEST_SUBJECT, help_text="The `sub` of its tokens, to the letter.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "sessions_outside_identity"
        ordering = ["issuer", "subject"]
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_user_per_subject")]
        verbose_name_plural = "outside identities"

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"

    @property
    def credential(self) -> str:
        """Its identity, which sessions bind to."""
        return f"{self.IDENTITY}:{self.issuer}#{self.subject}"

    def revoke(self, reason: str = "", tell: str = "") -> bool:
        """Keep the subject out: the link goes, and an operator may make it anew. False if it is gone already.

        With the link goes who could be told; what is open now is, as its session ends.
        """
        logger.warning("%s is %s no more: %s", self, self.user, reason)
        return self.delete()[0] > 0

    def clean(self) -> None:
        if len(self.credential) > LONGEST_IDENTITY:
            raise ValidationError("Issuer and subject are too long together.")
