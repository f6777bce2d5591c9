import hmac
from collections.abc import Collection
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from sessions_app import authority, tokens
from sessions_app.limits import API_KEY, CALLS, Bucket
from sessions_app.principal import Principal
from sessions_app.rates import validate_rate

from .user import User

USE_IS_NOTED_EVERY = timedelta(minutes=1)
DEFAULT_LIFETIME = timedelta(days=90)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self) -> Self:
        """Not revoked, not expired, and of an active user."""
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()),
            revoked_at=None,
            user__is_active=True,
        )

    def by_token(self, token: tokens.Token) -> Self:
        """The key that `token` is, under the current SECRET_KEY or one of its fallbacks."""
        return self.filter(digest__in=digests(token))

    def by_prefix(self, prefix: str) -> Self:
        """By what people may see: `cgk_<public id>`, the bare public id, or (pasted) the whole key."""
        public_id = prefix.removeprefix(f"{tokens.API_KEY}_").split("_")[0]
        return self.filter(public_id=public_id)

    def revoke(self) -> int:
        """How many were valid until now and no longer are."""
        with transaction.atomic():
            valid = self.filter(revoked_at=None)
            if users := set(valid.values_list("user_id", flat=True)):
                authority.changed(*users)
            return valid.update(revoked_at=timezone.now())


class ApiKey(models.Model):
    """A long-lived credential of one user. The secret is shown once; only its digest is here."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, help_text="What it is for: a machine, a client, a job.")
    public_id = models.CharField(max_length=tokens.PUBLIC_ID_LENGTH, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    scopes = models.JSONField(
        null=True,
        blank=True,
        help_text="Permissions it is narrowed to, as app_label.codename. Null: all that its user has.",
    )
    rate = models.CharField(
        max_length=20,
        blank=True,
        validators=[validate_rate],
        help_text=f"How many requests it is good for, such as 100/h. Empty: {API_KEY.rate}.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        db_table = "sessions_api_key"
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
    ) -> tuple[Self, tokens.Token]:
        """A new key and its secret, which nobody can read again. `scopes=None` narrows nothing.

        Raises: ValidationError for a name that is empty or too long.
        """
        key = cls(user=user, name=name, scopes=None if scopes is None else sorted(scopes))
        key.expires_at = key.created_at + lifetime if lifetime is not None else None
        token = key.give_secret()
        key.clean_fields(exclude=["user"])
        key.save(force_insert=True)
        return key, token

    def give_secret(self) -> tokens.Token:
        """Make a secret for this unsaved key and keep its digest."""
        token = tokens.mint(tokens.API_KEY)
        self.public_id = token.public_id
        self.digest = tokens.digest(token, settings.SECRET_KEY)
        self.last_four = token.last_four
        return token

    @property
    def prefix(self) -> str:
        return f"{tokens.API_KEY}_{self.public_id}"

    @property
    def credential(self) -> str:
        """Its identity, which sessions bind to."""
        return f"api-key:{self.pk}"

    @property
    def is_valid(self) -> bool:
        is_expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not is_expired and self.user.is_active

    def is_digest_of(self, token: tokens.Token) -> bool:
        return any(hmac.compare_digest(self.digest, candidate) for candidate in digests(token))

    @classmethod
    def principals(cls, pks: Collection[int]) -> list[Principal]:
        """Of those that are still valid. A few queries for all of them."""
        keys = list(cls.objects.valid().filter(pk__in=pks).select_related("user"))
        granted = User.permission_names_of([key.user for key in keys])
        return [key.principal(granted[key.user_id]) for key in keys]

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
            label=self.name,
            permissions=permissions,
            buckets=(
                Bucket(CALLS, f"user:{self.user_id}"),
                Bucket(API_KEY.at(self.rate), self.credential),
            ),
            expires_at=self.expires_at,
        )

    def is_due_to_note_use(self, token: tokens.Token) -> bool:
        """Once a minute; and at once if SECRET_KEY was rotated, so that fallbacks can be dropped."""
        return (
            self.last_used_at is None
            or self.last_used_at < timezone.now() - USE_IS_NOTED_EVERY
            or self.digest != tokens.digest(token, settings.SECRET_KEY)
        )

    def note_use(self, token: tokens.Token) -> None:
        type(self).objects.filter(pk=self.pk).update(
            last_used_at=timezone.now(), digest=tokens.digest(token, settings.SECRET_KEY)
        )

    def revoke(self) -> bool:
        """False if it was revoked already."""
        return type(self).objects.filter(pk=self.pk).revoke() == 1


def digests(token: tokens.Token) -> list[str]:
    return [tokens.digest(token, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
