import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property, partial
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from sessions_app.bulk import execute_each
from sessions_app.exceptions import TooManySubscriptions
from sessions_app.plain_text import visible
from sessions_app.principal import Principal
from sessions_app.session_cache import SessionCache
from sessions_app.transport.bus import bus
from sessions_app.transport.events import SessionChanged

from .credential import LONGEST_MESSAGE
from .session_lifetime import HTTP, WEBSOCKET, end_of_life, longest_silence
from .session_queryset import FIRST_STATELESS_VERSION, SessionQuerySet
from .user import User

ACTIVITY_IS_NOTED_EVERY = timedelta(minutes=1)
MOST_NOTED = 120
"""Characters."""
MOST_SUBSCRIPTIONS = 1000
"""Resources that one client may be subscribed to."""


def unnamed_session(credential: str, client_name: str) -> str:
    """What finds running operations of a session without an id on the wire: whose they are, and which client's."""
    return f"{credential}/{client_name}"[:MOST_NOTED].replace(" ", "")


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
    transport = models.CharField(max_length=20, choices=[(HTTP, "HTTP"), (WEBSOCKET, "WebSocket")])
    protocol_version = models.CharField(max_length=20)
    ip = models.GenericIPAddressField("IP address", null=True, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)

    # What the handshake settled and what the client asked for since: any process serves its next request.
    client_info = models.TextField(blank=True, editable=False, help_text="As in `initialize`, as JSON.")
    capabilities = models.TextField(blank=True, editable=False, help_text="As in `initialize`, as JSON.")
    log_level = models.CharField(max_length=10, blank=True, help_text="The least that the client wants logged.")
    stream = models.CharField(max_length=32, blank=True, editable=False, help_text="The newest GET stream.")

    opened_at = models.DateTimeField(default=timezone.now)
    last_activity_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=end_of_life)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=200, blank=True)
    end_message = models.CharField(max_length=LONGEST_MESSAGE, blank=True, help_text="What its client is told.")

    calls = models.PositiveBigIntegerField(default=0)
    errors = models.PositiveBigIntegerField(default=0)
    total_ms = models.FloatField("total time (ms)", default=0)
    last_call_at = models.DateTimeField(null=True, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        db_table = "sessions_session"
        ordering = ["-last_activity_at"]
        indexes = [
            models.Index(fields=["-last_activity_at"], name="session_activity"),
            models.Index(fields=["user", "credential"], condition=Q(ended_at=None), name="open_sessions_of"),
            # What operators look for. Each costs something once a minute, when the activity is noted.
            models.Index(fields=["label", "-last_activity_at"], name="sessions_of_label"),
            models.Index(fields=["client_name", "-last_activity_at"], name="sessions_of_client"),
            models.Index(fields=["ip", "-last_activity_at"], name="sessions_from_ip"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "credential", "client_name"],
                condition=Q(ended_at=None, protocol_version__gte=FIRST_STATELESS_VERSION, transport=HTTP),
                name="one_live_stateless_session",
            )
        ]

    def __str__(self) -> str:
        return f"{self.label} with {self.client_name or 'an unnamed client'}"

    @property
    def client(self) -> str:
        """Its name and version, as it calls itself, made harmless to look at. Empty if it has none."""
        return visible(f"{self.client_name} {self.client_version}".strip())

    @property
    def is_live(self) -> bool:
        return self.is_held and self.last_activity_at > timezone.now() - longest_silence(self.transport)

    @property
    def is_held(self) -> bool:
        """Live for who holds a socket or a call of it, however silent its row."""
        return self.ended_at is None and self.expires_at > timezone.now()

    @property
    def is_durable(self) -> bool:
        return self.protocol_version < FIRST_STATELESS_VERSION

    @property
    def operations_name(self) -> str:
        """As `Operation.session` has it."""
        has_id = self.is_durable or self.transport == WEBSOCKET
        return self.public_id if has_id else unnamed_session(self.credential, self.client_name)

    @property
    def owner(self) -> str:
        """As `Principal.owner`: whose operations its own are among."""
        return self.credential if self.user_id is None else f"user:{self.user_id}"

    @cached_property
    def cache(self) -> SessionCache:
        """What it keeps for a while. Of a guest's that is no row: as long as the request, for nobody finds it."""
        return SessionCache(self.public_id)

    def belongs_to(self, principal: Principal) -> bool:
        """To this user *and* this credential; an id alone opens nothing."""
        return (self.user_id, self.credential) == (principal.account, principal.credential)

    def is_due_to_note_activity(self) -> bool:
        return self.last_activity_at < timezone.now() - ACTIVITY_IS_NOTED_EVERY

    def note_activity(self, **details: Any) -> None:
        """Seen now, perhaps with a new client version or from a new address."""
        type(self).objects.filter(pk=self.pk).live().update(last_activity_at=timezone.now(), **details)

    @classmethod
    def count(cls, added: Mapping[int, Sequence[float]]) -> None:
        """Add finished calls to the metrics: by a session's id how many, how many of them failed, and their
        milliseconds. In the order of the ids, so that two processes do not wait for each other.
        """
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        execute_each(
            f"UPDATE {cls._meta.db_table} SET calls = calls + %s, errors = errors + %s, "  # noqa: S608 (our own name)
            "total_ms = total_ms + %s, last_call_at = %s, last_activity_at = %s WHERE id = %s",
            [(*sums, now, now, pk) for pk, sums in sorted(added.items())],
        )

    def hold_stream(self, stream: str) -> bool:
        """Make `stream` the one GET stream of this session: the newest wins. False if the session is over."""
        return self._change(stream=stream)

    def want_logs(self, level: str) -> bool:
        """Log messages of this level and above. False if the session is over."""
        return self._change(log_level=level)

    def _change(self, **fields: str) -> bool:
        with transaction.atomic():
            transaction.on_commit(partial(bus.publish, SessionChanged(self.pk)))
            return type(self).objects.filter(pk=self.pk).live().update(**fields) == 1

    def subscribe(self, uri: str) -> None:
        """Again changes nothing. Raises: TooManySubscriptions."""
        if self.subscriptions.exclude(uri=uri).count() >= MOST_SUBSCRIPTIONS:
            raise TooManySubscriptions(MOST_SUBSCRIPTIONS)
        self.subscriptions.get_or_create(uri=uri)

    def unsubscribe(self, uri: str) -> None:
        self.subscriptions.filter(uri=uri).delete()

    def end(self, reason: str, tell: str = "") -> bool:
        """False if it had ended already. `reason` is for operators to read, `tell` for its client."""
        return type(self).objects.filter(pk=self.pk).end(reason, tell) == 1

    def end_and_revoke(self, reason: str, tell: str = "") -> bool:
        """Also take its credential, so that the client is kept out. False if that was over, or it is a guest's."""
        self.end(reason, tell)
        return self.user is not None and self.user.take_credential(self.credential, reason, tell)
