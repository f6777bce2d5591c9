from collections.abc import Collection
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone

from .credential import LONGEST_REASON

LONGEST_ISSUER = 200
LONGEST_ID = 255


class RevokedTokenQuerySet(models.QuerySet["RevokedToken"]):
    @transaction.atomic
    def revoke(self, issuer: str, jti: str, expires_at: datetime, reason: str = "") -> bool:
        """Refuse that JWT from now on, until it is refused anyway. False if it was revoked already."""
        details = {"expires_at": expires_at, "reason": reason[:LONGEST_REASON]}
        return self.get_or_create(issuer=issuer, jti=jti, defaults=details)[1]

    def among(self, jtis: Collection[str]) -> frozenset[tuple[str, str]]:
        """Issuer and id of those that are revoked. Two issuers may use one id."""
        return frozenset(self.filter(jti__in=jtis).values_list("issuer", "jti"))


class RevokedToken(models.Model):
    """One JWT that is refused though its time is not over. The row is kept until it would be refused anyway."""

    issuer = models.CharField(max_length=LONGEST_ISSUER, help_text="The token's `iss`.")
    jti = models.CharField("token id", max_length=LONGEST_ID, help_text="The token's `jti`.")
    expires_at = models.DateTimeField(
        db_index=True, help_text="When it is refused anyway: its `exp` and a minute. Then the row is removed."
    )
    revoked_at = models.DateTimeField(default=timezone.now, editable=False)
    reason = models.CharField(max_length=LONGEST_REASON, blank=True, help_text="By whom, and why.")

    objects = RevokedTokenQuerySet.as_manager()

    class Meta:
        db_table = "sessions_revoked_token"
        ordering = ["-revoked_at"]
        constraints = [models.UniqueConstraint(fields=["issuer", "jti"], name="revoked_once")]
        verbose_name = "revoked JWT"

    def __str__(self) -> str:
        return f"{self.jti} of {self.issuer}"
