from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractUser, Group, Permission
from django.db import transaction
from django.db.models import BooleanField, CheckConstraint, DateTimeField, Max, Q, QuerySet
from django.utils import timezone

from sessions_app import authority
from sessions_app.permissions import granted_to, names_of

if TYPE_CHECKING:
    from .credential import Credential
    from .outside_identity import OutsideIdentity


LINK_WAITS = timedelta(days=1)
"""How long an operator has to show a link that could not be mailed."""


def saves_password(kwargs: Mapping[str, Any]) -> bool:
    fields = kwargs.get("update_fields")
    return fields is None or "password" in fields


class User(AbstractUser):
    """A person or an agent. Ours from the first migration, so that it can grow."""

    tokens_valid_after = DateTimeField(
        null=True, blank=True, editable=False, help_text="What was got for a password until then is over."
    )

    reset_link_until = DateTimeField(
        null=True, blank=True, editable=False, help_text="Until then an operator may show a link, once."
    )

    is_service = BooleanField(
        "service account",
        default=False,
        help_text="Of a program: it has API keys, and nobody signs in to it. It is never staff.",
    )

    _password: str | None  # Django's, until it is saved
    _is_password_taken = False

    class Meta(AbstractUser.Meta):
        db_table = "sessions_user"
        constraints = [
            CheckConstraint(
                condition=Q(is_service=False) | Q(is_staff=False, is_superuser=False),
                name="no_service_account_is_staff",
                violation_error_message="A service account is neither staff nor superuser.",
            )
        ]

    def save(self, **kwargs: Any) -> None:
        """A changed password ends what was got for the old one; one that is only hashed anew does not."""
        is_changed = self.is_password_changed
        if self._state.adding or not is_changed or not saves_password(kwargs):
            super().save(**kwargs)
        else:
            self._save_password(kwargs)
        # Django forgets it with any save; it is still to come if this one left the password out.
        self._is_password_taken = is_changed and not saves_password(kwargs)

    @property
    def is_password_changed(self) -> bool:
        """By `set_password` or `set_unusable_password`, and not saved yet."""
        return self._password is not None or self._is_password_taken

    @transaction.atomic
    def _save_password(self, kwargs: dict[str, Any]) -> None:
        self.reset_link_until = None
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "reset_link_until"}
        super().save(**kwargs)
        self.end_sign_ins("the password was changed")

    def set_unusable_password(self) -> None:
        """Taking the password away is a change, too."""
        super().set_unusable_password()
        self._is_password_taken = True

    @transaction.atomic
    def take_password(self, unusable: str, reason: str) -> None:
        """Put `unusable` (`make_password(None)`) in the old one's place, and end all that is open of this user.

        API keys stay, as with any change of a password.
        """
        self.password, self._is_password_taken = unusable, True
        self.save(update_fields=["password"])
        self.mcp_sessions.all().end(reason)

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """As Django's, by which a cookie knows its user; and another one when his sign-ins were ended."""
        known: str = super()._get_session_auth_hash(secret)  # type: ignore[misc]  # not in the stubs
        return known if self.tokens_valid_after is None else f"{known}.{self.tokens_valid_after.timestamp()}"

    def leave_link_to_operators(self) -> None:
        """Let one of them show a link to choose a new password, once."""
        self.reset_link_until = timezone.now() + LINK_WAITS
        self.save(update_fields=["reset_link_until"])

    @property
    def has_waiting_link(self) -> bool:
        return self.reset_link_until is not None and self.reset_link_until > timezone.now()

    def take_link(self) -> bool:
        """Whether there is one to be shown. Of many who ask at once, one hears yes."""
        waiting = type(self).objects.filter(pk=self.pk, reset_link_until__gt=timezone.now())
        return waiting.update(reset_link_until=None) == 1

    @transaction.atomic
    def end_everything(self, reason: str) -> None:
        """Revoke all that lets this user in, and end what is open."""
        self.end_sign_ins(reason)
        self.api_keys.all().revoke(reason)
        self.mcp_sessions.all().end(reason)

    @property
    def status(self) -> str:
        return "inactive" if not self.is_active else "service account" if self.is_service else "active"

    @transaction.atomic
    def become_service(self, reason: str) -> None:
        """Let nobody sign in to it from now on. What was got for its password is over; API keys stay."""
        self.is_service = True
        self.set_unusable_password()
        self.save()
        self.end_sign_ins(reason)

    @transaction.atomic
    def deactivate(self, reason: str) -> None:
        """Keep this user out from now on, and end all that is open."""
        self.is_active = False
        self.save(update_fields=["is_active"])
        self.end_everything(reason)

    @cached_property
    def called_at(self) -> datetime | None:
        """Last, by whatever client."""
        latest: datetime | None = self.mcp_sessions.aggregate(latest=Max("last_activity_at"))["latest"]
        return latest

    @property
    def last_seen_at(self) -> datetime:
        """When he last called or signed in; who never did was seen when he was made."""
        return max(time for time in (self.called_at, self.last_login, self.date_joined) if time is not None)

    @classmethod
    def note_last_seen(cls, users: Collection["User"]) -> None:
        """So that `last_seen_at` is known of all of them. One query."""
        called = cls.objects.filter(pk__in=[user.pk for user in users]).order_by().values_list("pk")
        at = dict(called.annotate(at=Max("mcp_sessions__last_activity_at")))
        for user in users:
            user.called_at = at.get(user.pk)

    @transaction.atomic
    def end_sign_ins(self, reason: str) -> int:
        """Revoke what was got for the password, in browsers too: not API keys. How many tokens and families."""
        authority.changed(self.pk)
        self.tokens_valid_after = timezone.now()
        type(self).objects.filter(pk=self.pk).update(tokens_valid_after=self.tokens_valid_after)
        return self.session_tokens.all().revoke(reason) + self.token_families.all().revoke(reason)

    @transaction.atomic
    def take_credential(self, credential: str, reason: str, tell: str = "") -> bool:
        """Take one of theirs, by its identity, and end its sessions. False if it was over already."""
        self.mcp_sessions.filter(credential=credential).end(reason, tell)
        held = self.find_credential(credential)
        return held is not None and held.revoke(reason, tell)

    def find_credential(self, identity: str) -> "Credential | OutsideIdentity | None":
        """That of theirs which sessions bind to as `identity`."""
        kind, _, key = identity.partition(":")
        for rows in (self.api_keys, self.session_tokens, self.token_families):
            if kind == rows.model.IDENTITY:
                return rows.filter(pk=key).select_related("user").first()
        return next((outside for outside in self.outside_identities.all() if outside.credential == identity), None)

    @property
    def role(self) -> str:
        """The widest group, in the words of the seed: what a profile says and an operator reads."""
        if self.is_superuser:
            return "superuser"
        names = sorted(self.groups.values_list("name", flat=True))
        return ", ".join(names) or "none"

    def permission_names(self) -> frozenset[str]:
        """`app_label.codename` of all that this user may do now; empty if inactive. One query.

        Read from the rows, not from Django's per-instance cache: authority is what the database says.
        """
        if not self.is_active:
            return frozenset()
        rows = Permission.objects.order_by() if self.is_superuser else granted_to(self)
        return names_of(rows.values_list("content_type__app_label", "codename"))

    @classmethod
    def permission_names_of(cls, users: Collection["User"]) -> Mapping[int, frozenset[str]]:
        """The same for many at once, by primary key: four queries, however many they are."""
        label = ("content_type__app_label", "codename")
        everything = names_of(Permission.objects.order_by().values_list(*label))
        of_group: dict[int, set[str]] = defaultdict(set)
        shared = Group.permissions.through.objects
        for group, app, codename in shared.values_list("group_id", *(f"permission__{name}" for name in label)):
            of_group[group].add(f"{app}.{codename}")
        granted: dict[int, set[str]] = defaultdict(set)
        pks = [user.pk for user in users if user.is_active and not user.is_superuser]
        for user, group in cls.groups.through.objects.filter(user__in=pks).values_list("user_id", "group_id"):
            granted[user] |= of_group[group]
        own = cls.user_permissions.through.objects.filter(user__in=pks)
        for user, app, codename in own.values_list("user_id", *(f"permission__{name}" for name in label)):
            granted[user].add(f"{app}.{codename}")
        return {
            user.pk: (everything if user.is_superuser else frozenset(granted[user.pk]))
            if user.is_active
            else frozenset()
            for user in users
        }

    def within_reach(self) -> QuerySet["User"]:
        """Whom this user may change or speak for: himself, and whoever has no privilege that he lacks.

        What an inactive user was granted counts as if he were active: he may be activated again.
        """
        everyone = User.objects.all()
        if not self.is_active:
            return everyone.none()
        if self.is_superuser:
            return everyone
        more = Permission.objects.exclude(pk__in=granted_to(self).values("pk"))
        above = Q(is_superuser=True) | Q(user_permissions__in=more) | Q(groups__permissions__in=more)
        if not self.is_staff:
            above |= Q(is_staff=True)
        return everyone.filter(Q(pk=self.pk) | ~Q(pk__in=everyone.filter(above).values("pk")))

    def may_act_on(self, other: "User") -> bool:
        """Whether `other` is within reach. One query."""
        return self.within_reach().filter(pk=other.pk).exists()
