import secrets
from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from sessions_app.principal import Principal

from .user import User

FIRST_STATELESS_VERSION = "2026-07-28"
ACTIVITY_IS_NOTED_EVERY = timedelta(minutes=1)


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)

    def of(self, principal: Principal) -> Self:
        """Those of this user *and* this credential: another key of his must not see their state."""
        return self.filter(user_id=principal.user_id, credential=principal.credential)

    def stateless(self) -> Self:
        """Those of the era without a handshake, which are found by who calls, not by an id."""
        return self.filter(protocol_version__gte=FIRST_STATELESS_VERSION)

    def continued(self, principal: Principal, *, client_name: str, transport: str) -> "Session | None":
        """The live session of this caller and client. One read."""
        found = self.live().stateless().of(principal).filter(client_name=client_name, transport=transport)
        return found.first()

    def continue_or_open(
        self,
        principal: Principal,
        *,
        client_name: str,
        transport: str,
        protocol_version: str,
        **details: str | None,
    ) -> "Session":
        """The live session of this caller and client, or a new one. `details` are noted when it opens.

        Concurrent first calls meet in one row: a unique constraint sees to it.
        """
        session, _ = (
            self.live()
            .stateless()
            .get_or_create(
                user_id=principal.user_id,
                credential=principal.credential,
                client_name=client_name,
                transport=transport,
                defaults={"label": principal.label, "protocol_version": protocol_version, **details},
            )
        )
        return session

    def end(self, reason: str) -> int:
        return self.live().update(ended_at=timezone.now(), end_reason=reason)


def new_public_id() -> str:
    """Unguessable (256 bits), and of visible ASCII as `Mcp-Session-Id` must be."""
    return secrets.token_urlsafe(32)


class Session(models.Model):
    """One caller's continuing relationship with the server. A row, so it outlives every process."""

    public_id = models.CharField(max_length=64, unique=True, default=new_public_id, editable=False)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="mcp_sessions")
    credential = models.CharField(max_length=255, help_text="The credential's identity, as kind:id.")
    label = models.CharField(max_length=150, help_text="What the caller goes by, such as the key's name.")
    client_name = models.CharField(max_length=200, blank=True)
    client_version = models.CharField(max_length=100, blank=True)
    transport = models.CharField(max_length=20, choices=[("http", "HTTP"), ("websocket", "WebSocket")])
    protocol_version = models.CharField(max_length=20)
    ip = models.GenericIPAddressField("IP address", null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    opened_at = models.DateTimeField(default=timezone.now)
    last_activity_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=200, blank=True)

    calls = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    total_ms = models.FloatField("total time (ms)", default=0)
    last_call_at = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        db_table = "sessions_session"
        ordering = ["-last_activity_at"]
        indexes = [models.Index(fields=["-last_activity_at"], name="session_activity")]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "credential", "client_name", "transport"],
                condition=Q(ended_at=None, protocol_version__gte=FIRST_STATELESS_VERSION),
                name="one_live_stateless_session",
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} with {self.client_name or 'an unnamed client'}"

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    def has_not_ended(self) -> bool:
        """As the row says now."""
        return type(self).objects.filter(pk=self.pk).live().exists()

    def is_due_to_note_activity(self) -> bool:
        return self.last_activity_at < timezone.now() - ACTIVITY_IS_NOTED_EVERY

    def note_activity(self, **details: Any) -> None:
        """Seen now, perhaps with a new client version or from a new address."""
        type(self).objects.filter(pk=self.pk).live().update(last_activity_at=timezone.now(), **details)

    def count(self, *, calls: int, errors: int, total_ms: float) -> None:
        """Add finished calls to the metrics; safe from several processes at once."""
        now = timezone.now()
        type(self).objects.filter(pk=self.pk).update(
            calls=F("calls") + calls,
            errors=F("errors") + errors,
            total_ms=F("total_ms") + total_ms,
            last_call_at=now,
            last_activity_at=now,
        )

    def end(self, reason: str) -> bool:
        """False if it had ended already."""
        return type(self).objects.filter(pk=self.pk).end(reason) == 1
