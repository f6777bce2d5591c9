"""What is asked of sessions, and done to many of them."""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Case, Max, Q, Value, When
from django.utils import timezone

from sessions_app import authority, session_cache
from sessions_app.exceptions import TooManySessions
from sessions_app.plain_text import one_line
from sessions_app.principal import Principal
from sessions_app.sign_in_log import note_opening
from sessions_app.transport.bus import bus
from sessions_app.transport.events import SessionChanged

from . import session_room
from .credential import LONGEST_MESSAGE, Credential
from .session_lifetime import HTTP, WEBSOCKET, deserted, lasting

if TYPE_CHECKING:
    from .session import Session

FIRST_STATELESS_VERSION = "2026-07-28"
MOST_OF_ONE, MOST_IN_ALL = 200, 20_000
"""Live sessions of one user and credential: the next ends the quietest. Of everybody: then none is opened."""
GUESTS_SHARE, GUEST_LIFETIME = 4, timedelta(hours=1)
"""Guests have one part of so many in what everybody may have, and not for long: they never shut out others."""
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

    def last_with(self, credentials: Collection[Credential]) -> "dict[str, Session]":
        """The one of each that was active last, by the credential's identity. Two queries for all of them."""
        users = {credential.user_id for credential in credentials}
        theirs = self.filter(user__in=users, credential__in=[each.credential for each in credentials]).order_by()
        last = dict(theirs.values_list("credential").annotate(last=Max("last_activity_at")))
        found = theirs.filter(last_activity_at__in=last.values())
        return {row.credential: row for row in found if row.last_activity_at == last[row.credential]}

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
        most, rivals, room = MOST_IN_ALL, self.filter(ended_at=None), session_room.of_everybody
        if principal.account is None:
            most, rivals, room = MOST_IN_ALL // GUESTS_SHARE, rivals.filter(user=None), session_room.of_guests
        if not room.take(partial(rivals.room_among, most)):
            raise TooManySessions(most)
        of_caller = self.live().of(principal).order_by("-last_activity_at", "-pk").values_list("pk", flat=True)
        if quietest := list(of_caller[MOST_OF_ONE - 1 : 2 * MOST_OF_ONE]):
            self.filter(pk__in=quietest).end(f"more than {MOST_OF_ONE} sessions of one credential")

    def room_among(self, most: int) -> int:
        """How many more there may be beside these, of `most` live ones."""
        # The clock is asked only when it matters: what nobody has ended yet is counted from an index alone.
        counted = (most - sessions.order_by()[:most].count() for sessions in (self, self.live()))
        return next((room for room in counted if room > 0), 0)

    def expire(self) -> int:
        """Say of those that expired that they have ended. Nobody need be told: every process has a clock."""
        reason = Case(When(deserted(), then=Value(SERVER_GONE)), default=Value("expired"))
        return self.expired().update(ended_at=timezone.now(), end_reason=reason)

    def close(self, reason: str) -> int:
        """Say that these have ended, where nobody need be told: what they belonged to is gone already."""
        closing = self.filter(ended_at=None)
        with transaction.atomic():
            kept = list(closing.values_list("public_id", flat=True))
            transaction.on_commit(partial(session_cache.clear, kept))
            return closing.update(ended_at=timezone.now(), end_reason=reason)

    def end(self, reason: str, tell: str = "") -> int:
        """End the live ones and tell the processes that hold their streams and calls. `tell`: for the clients."""
        with transaction.atomic():
            ending = list(self.live().order_by("pk").values_list("pk", "user_id", "public_id"))
            live = self.filter(pk__in=[pk for pk, _, _ in ending], ended_at=None)
            said = {"end_reason": reason[:200], "end_message": one_line(tell, LONGEST_MESSAGE)}
            ended = live.update(ended_at=timezone.now(), **said)
            if owners := {user for _, user, _ in ending}:
                authority.changed(*owners)  # first, so that whoever hears of it reads it
            for pk, _, _ in ending:
                transaction.on_commit(partial(bus.publish, SessionChanged(pk)))
            transaction.on_commit(partial(session_cache.clear, [public_id for _, _, public_id in ending]))
        return ended
