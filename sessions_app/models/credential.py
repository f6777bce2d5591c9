"""What all credentials have in common, whatever is shown to prove them."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models, transaction
from django.utils import timezone

from sessions_app import authority, tokens
from sessions_app.limits import CALLS, CREDENTIAL, Bucket, Limit
from sessions_app.plain_text import one_line
from sessions_app.principal import Principal
from sessions_app.rates import is_rate, validate_rate

from .user import User

USE_IS_NOTED_EVERY = timedelta(minutes=1)
LONGEST_REASON = 200
LONGEST_MESSAGE = 100
"""Characters that its holder is told."""


class CredentialQuerySet[C: "Credential"](models.QuerySet[C]):
    def valid(self) -> Self:
        """Not revoked, not expired, and of an active user."""
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()),
            revoked_at=None,
            user__is_active=True,
        )

    def open_to(self, principal: Principal) -> Self:
        """Those that this caller may see and revoke: all of his user's; with a narrowed one, only itself."""
        mine = self.filter(user_id=principal.account)
        kind, _, key = principal.credential.partition(":")
        if not principal.is_narrowed:
            return mine
        return mine.filter(pk=key) if kind == self.model.IDENTITY else mine.none()

    def by_prefix(self, prefix: str) -> Self:
        """By what people may see: `cgk_<public id>`, the bare public id, or (pasted) the whole secret."""
        public_id = prefix.removeprefix(f"{self.model.PREFIX}_").split("_")[0]
        return self.filter(public_id=public_id)

    def revoke(self, reason: str = "", tell: str = "") -> int:
        """How many were not revoked until now. `reason` is for operators to read: by whom, and why. `tell` is for
        whoever shows one from now on, and was right about its secret.
        """
        with transaction.atomic():
            standing = self.filter(revoked_at=None)
            if users := set(standing.values_list("user_id", flat=True)):
                authority.changed(*users)
            said = {"revoked_reason": reason[:LONGEST_REASON], "revoked_message": one_line(tell, LONGEST_MESSAGE)}
            return standing.update(revoked_at=timezone.now(), **said)


class Credential(models.Model):
    """One way of one user to be known. It narrows what its user may do, and never widens it."""

    PREFIX: ClassVar[str]
    """Before its public id, where people and logs see it."""
    IDENTITY: ClassVar[str]
    """Before its primary key, where sessions bind to it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    public_id = models.CharField(max_length=tokens.PUBLIC_ID_LENGTH, unique=True, editable=False)
    scopes = models.JSONField(
        null=True,
        blank=True,
        help_text="Permissions it is narrowed to, as app_label.codename. Null: all that its user has.",
    )
    rate = models.CharField(
        max_length=20,
        blank=True,
        validators=[validate_rate],
        help_text="How many requests it is good for, such as 100/h. Empty: as many as any other.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at: "models.DateTimeField[Any, Any]"
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_reason = models.CharField(max_length=LONGEST_REASON, blank=True, editable=False)
    revoked_message = models.CharField(
        max_length=LONGEST_MESSAGE, blank=True, editable=False, help_text="What its holder is told."
    )

    objects: Any

    class Meta:
        abstract = True

    @property
    def prefix(self) -> str:
        return f"{self.PREFIX}_{self.public_id}"

    @property
    def credential(self) -> str:
        """Its identity, which sessions bind to."""
        return f"{self.IDENTITY}:{self.pk}"

    @property
    def label(self) -> str:
        """What its caller goes by."""
        return self.user.get_username()

    @property
    def networks(self) -> tuple[str, ...]:
        """Where its requests may come from. None named: from anywhere."""
        return ()

    @property
    def status(self) -> str:
        """Why it is not valid, or that it is."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "valid" if self.user.is_active else "its owner is inactive"

    @property
    def is_valid(self) -> bool:
        return self.status == "valid"

    @classmethod
    def still_valid(cls, pks: Collection[int]) -> list[Self]:
        """Those of them that are, with their users. One query."""
        return list(cls.objects.valid().filter(pk__in=pks).select_related("user"))

    @classmethod
    def principals(cls, credentials: Collection[Self]) -> list[Principal]:
        """Of valid ones. A few queries for all of them."""
        granted = User.permission_names_of([credential.user for credential in credentials])
        return [credential.principal(granted[credential.user_id]) for credential in credentials]

    def principal(self, granted: frozenset[str] | None = None) -> Principal:
        """Its user's permissions (`granted`, if they are known), narrowed by its scopes.

        An unknown scope grants nothing.
        """
        permissions = self.user.permission_names() if granted is None else granted
        if self.scopes is not None:
            permissions &= frozenset(self.scopes)
        return Principal(
            account=self.user_id,
            username=self.user.get_username(),
            credential=self.credential,
            label=self.label,
            permissions=permissions,
            buckets=self.buckets(),
            expires_at=self.expires_at,
            is_narrowed=self.scopes is not None,
            addresses=self.networks,
        )

    def buckets(self) -> tuple[Bucket, ...]:
        """Its user's, and one of its own if it has a limit of its own."""
        of_user, own = Bucket(CALLS, f"user:{self.user_id}"), self.own_limit()
        return (of_user,) if own is None else (of_user, Bucket(own, self.credential))

    def own_limit(self) -> Limit | None:
        return CREDENTIAL.at(self.rate) if is_rate(self.rate) else None

    def is_due_to_note_use(self, token: tokens.Token | None = None) -> bool:
        """Once a minute."""
        return self.last_used_at is None or self.last_used_at < timezone.now() - USE_IS_NOTED_EVERY

    def note_use(self, token: tokens.Token | None = None) -> None:
        """It was used now; by `token`, if that is what was shown."""
        type(self).objects.filter(pk=self.pk).update(**self.used_now(token))

    def used_now(self, token: tokens.Token | None) -> dict[str, Any]:
        return {"last_used_at": timezone.now()}

    def revoke(self, reason: str = "", tell: str = "") -> bool:
        """False if it was revoked already."""
        return bool(type(self).objects.filter(pk=self.pk).revoke(reason, tell) == 1)

    @classmethod
    def messages(cls, pks: Collection[int]) -> dict[int, str]:
        """What the holders of those that were revoked are told, where there is something. One query."""
        revoked = cls.objects.filter(pk__in=pks).exclude(revoked_at=None).exclude(revoked_message="")
        return dict(revoked.values_list("pk", "revoked_message"))
