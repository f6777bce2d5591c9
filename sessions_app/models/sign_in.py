"""Credentials that somebody got for a password: they end with it."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, Q

from sessions_app.exceptions import Unauthenticated

from .credential import Credential, CredentialQuerySet
from .user import User

logger = logging.getLogger(__name__)

LONGEST_USER_AGENT = 300


class SignInQuerySet[C: "SignIn"](CredentialQuerySet[C]):
    def valid(self) -> Self:
        """Besides: made after its user's password was last changed."""
        return super().valid().filter(made_since_password_change())

    def over(self, since: datetime) -> Self:
        """Revoked or expired, already at `since`."""
        return self.filter(over(since))


def made_since_password_change() -> Q:
    return Q(user__tokens_valid_after=None) | Q(created_at__gt=F("user__tokens_valid_after"))


def over(since: datetime) -> Q:
    return Q(revoked_at__lte=since) | Q(expires_at__lte=since)


class SignIn(Credential):
    """Made in exchange for a password, and known by where that was."""

    expires_at = models.DateTimeField(help_text="Its end, however busy it is.")
    ip = models.GenericIPAddressField("IP address", null=True, blank=True, editable=False)
    user_agent = models.CharField(max_length=LONGEST_USER_AGENT, blank=True, editable=False)

    objects: Any

    class Meta(Credential.Meta):
        abstract = True

    @classmethod
    def begin(
        cls,
        user: User,
        *,
        scopes: Collection[str] | None,
        lifetime: timedelta,
        ip: str | None,
        user_agent: str,
        **fields: Any,
    ) -> Self:
        """An unsaved one of `user`, who stays as he is until the transaction ends.

        `user` is as he was when his password was checked: whoever changed it meanwhile wins.
        Raises: Unauthenticated.
        """
        now = User.objects.select_for_update().filter(pk=user.pk).first()
        if now is None or not now.is_active or now.tokens_valid_after != user.tokens_valid_after:
            raise Unauthenticated(f"{user} was deactivated, or the password changed, while signing in")
        made = cls(user=now, ip=ip, user_agent=user_agent[:LONGEST_USER_AGENT], **fields)
        made.scopes = None if scopes is None else sorted(scopes)
        made.expires_at = made.created_at + lifetime
        return made

    def note_sign_in(self) -> None:
        """To the log, once. No secret: the prefix is what lists show."""
        where, kind = self.ip or "the command line", self._meta.verbose_name
        logger.info("User %s signed in from %s: %s %s", self.user, where, kind, self.prefix)

    @property
    def status(self) -> str:
        status, changed_at = super().status, self.user.tokens_valid_after
        if status == "valid" and changed_at is not None and self.created_at <= changed_at:
            return "the password was changed"
        return status
