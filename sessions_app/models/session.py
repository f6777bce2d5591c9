import secrets
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

from django.db import models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from sessions_app import authority
from sessions_app.exceptions import TooManySessions, TooManySubscriptions
from sessions_app.principal import Principal
from sessions_app.sign_in_log import note_opening
from sessions_app.transport.bus import SessionChanged, bus

from .session_lifetime import HTTP, WEBSOCKET, deserted, end_of_life, lasting, longest_silence
from .user import User

FIRST_STATELESS_VERSION = "2026-07-28"
ACTIVITY_IS_NOTED_EVERY = timedelta(minutes=1)
MOST_OF_ONE, MOST_IN_ALL = 200, 20_000
"""Live sessions of one user and credential: the next ends the quietest. Of everybody: then none is opened."""
GUESTS_SHARE, GUEST_LIFETIME = 4, timedelta(hours=1)
"""Guests have one part of so many in what everybody may have, and not for long: they never shut out others."""
MOST_SUBSCRIPTIONS = 1000
"""Resources that one client may be subscribed to."""
SERVER_GONE = "the server that held its socket is gone"


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self) -> Self:
        return self.filter(lasting(timezone.now()), ended_at=None)

    def held(self) -> Self:
        """Those that silence does not end: whoever asks holds a socket or a call of theirs."""
        return self.filter(ended_at=None, expires_at__gt=timezone.now())

    def expired(self) -> Self:
        """Over by the clock, though nobody has said so yet."""
        return self.filter(~lasting(timezone.now()), ended_at=None)

    def over(self, since: datetime | None = None) -> Self:
        """Ended, whether somebody said so or only the clock: by now, or already at `since`."""
        moment = since or timezone.now()
        is_open = Q(ended_at=None) | Q(ended_at__gt=moment)
        return self.exclude(is_open, lasting(moment))

    def of(self, principal: Principal) -> Self:
        """Those of this user *and* this credential: another key of his must not see their state."""
        return self.filter(user_id=principal.account, credential=principal.credential)

    def stateless(self) -> Self:
        """Those over HTTP of the era without a handshake, which are found by who calls, not by an id."""
        return self.filter(transport=HTTP, protocol_version__gte=FIRST_STATELESS_VERSION)

    def durable(self) -> Self:
        """Those over HTTP that began with a handshake, which are found by their public id."""
        return self.filter(transport=HTTP, protocol_version__lt=FIRST_STATELESS_VERSION)

    def of_sockets(self) -> Self:
        """Those of either era that last as long as a socket. Nothing finds them but that socket."""
        return self.filter(transport=WEBSOCKET)

    def continued(self, principal: Principal, *, client_name: str) -> "Session | None":
        """The live session of this caller and client over HTTP. One read."""
        return self.live().stateless().of(principal).filter(client_name=client_name).first()

    def continue_or_open(
        self, principal: Principal, *, client_name: str, protocol_version: str, **details: str | None
    ) -> "Session":
        """The live one, or a new one of these `details`. First calls at the same moment meet in one row."""
        mine = self.stateless().of(principal).filter(client_name=client_name)
        with transaction.atomic():
            mine.expire()
            if not mine.live().exists():
                self.make_room_for(principal)
            session, is_new = mine.filter(ended_at=None).get_or_create(
                user_id=principal.user_id, credential=principal.credential, client_name=client_name,
                transport=HTTP,
                defaults={"label": principal.label, "protocol_version": protocol_version, **details},
            )  # fmt: skip
            if is_new:
                note_opening(session, principal)
        return session

    @transaction.atomic
    def open(self, principal: Principal, **details: Any) -> "Session":
        """A new session for a client that shook hands. Raises: TooManySessions."""
        self.make_room_for(principal)
        if principal.account is None:
            details["expires_at"] = timezone.now() + GUEST_LIFETIME
        who = {"user_id": principal.account, "credential": principal.credential, "label": principal.label}
        session = self.create(**who, **details)
        note_opening(session, principal)
        return session

    def make_room_for(self, principal: Principal) -> None:
        """End this caller's quietest sessions beyond the cap. Raises: TooManySessions if all are too many.

        Callers at the same moment may pass the caps by a few; nothing depends on the exact number.
        """
        most, rivals = MOST_IN_ALL, self.filter(ended_at=None)
        if principal.account is None:
            most, rivals = MOST_IN_ALL // GUESTS_SHARE, rivals.filter(user=None)
        # The clock is asked only when it matters: what nobody has ended yet is counted from an index alone.
        if all(sessions.order_by()[most - 1 :].exists() for sessions in (rivals, rivals.live())):
            raise TooManySessions(most)
        of_caller = self.live().of(principal).order_by("-last_activity_at", "-pk").values_list("pk", flat=True)
        if quietest := list(of_caller[MOST_OF_ONE - 1 : 2 * MOST_OF_ONE]):
            self.filter(pk__in=quietest).end(f"more than {MOST_OF_ONE} sessions of one credential")

    def expire(self) -> int:
        """Say of those that expired that they have ended. Nobody need be told: every process has a clock."""
        reason = Case(When(deserted(), then=Value(SERVER_GONE)), default=Value("expired"))
        return self.expired().update(ended_at=timezone.now(), end_reason=reason)

    def close(self, reason: str) -> int:
        """Say that these have ended, where nobody need be told: what they belonged to is gone already."""
        return self.filter(ended_at=None).update(ended_at=timezone.now(), end_reason=reason)

    def end(self, reason: str) -> int:
        """End the live ones and tell the processes that hold their streams and calls."""
        with transaction.atomic():
            ending = dict(self.live().order_by("pk").values_list("pk", "user_id"))
            live = self.filter(pk__in=list(ending), ended_at=None)
            ended = live.update(ended_at=timezone.now(), end_reason=reason[:200])
            if owners := set(ending.values()):
                authority.changed(*owners)  # first, so that whoever hears of it reads it
            for pk in ending:
                transaction.on_commit(partial(bus.publish, SessionChanged(pk)))
        return ended


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
    def is_live(self) -> bool:
        return self.is_held and self.last_activity_at > timezone.now() - longest_silence(self.transport)

    @property
    def is_held(self) -> bool:
        """Live for who holds a socket or a call of it, however silent its row."""
        return self.ended_at is None and self.expires_at > timezone.now()

    @property
    def is_durable(self) -> bool:
        return self.protocol_version < FIRST_STATELESS_VERSION

    def belongs_to(self, principal: Principal) -> bool:
        """To this user *and* this credential; an id alone opens nothing."""
        return (self.user_id, self.credential) == (principal.account, principal.credential)

    def is_due_to_note_activity(self) -> bool:
        return self.last_activity_at < timezone.now() - ACTIVITY_IS_NOTED_EVERY

    def note_activity(self, **details: Any) -> None:
        """Seen now, perhaps with a new client version or from a new address."""
        type(self).objects.filter(pk=self.pk).live().update(last_activity_at=timezone.now(), **details)

    def count(self, *, calls: int, errors: int, total_ms: float) -> None:
        """Add finished calls to the metrics; safe from several processes at once."""
        now = timezone.now()
        sums = {"calls": F("calls") + calls, "errors": F("errors") + errors, "total_ms": F("total_ms") + total_ms}
        type(self).objects.filter(pk=self.pk).update(**sums, last_call_at=now, last_activity_at=now)

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

    def end(self, reason: str) -> bool:
        """False if it had ended already."""
        return type(self).objects.filter(pk=self.pk).end(reason) == 1

    def end_and_revoke(self, reason: str) -> bool:
        """Also take its credential, so that the client is kept out. False if that was over, or it is a guest's."""
        self.end(reason)
        return self.user is not None and self.user.shut_out(self.credential, reason)
