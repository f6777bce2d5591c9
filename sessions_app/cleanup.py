"""What this app has to end or delete in time.

Live sessions are left alone, and those with calls are kept for a while after their end: they are history.
"""

from datetime import timedelta

from django.contrib.sessions.models import Session as SignIn
from django.db.models import QuerySet
from django.utils import timezone

from .chores import chore
from .models import (
    FamiliarNetwork,
    RefreshToken,
    RefusalHour,
    RevokedToken,
    ServerRequest,
    Session,
    SessionToken,
    Subscription,
    TokenFamily,
    WebSocketTicket,
    Worker,
)
from .models.session_queryset import SessionQuerySet

HISTORY = timedelta(days=30)
"""How long a session, or a token, is kept after its end."""
LAST_WORDS = timedelta(minutes=10)
"""How long a row outlives its use: a process may still be about to write to it, such as a call's metrics."""


# Before the sessions, of which these rows are parts: each of a thousand could take a thousand with it.
@chore("questions that nobody waits for")
def old_questions() -> QuerySet[ServerRequest]:
    return ServerRequest.objects.filter(expires_at__lte=timezone.now() - LAST_WORDS)


@chore("subscriptions of sessions that are over")
def old_subscriptions() -> QuerySet[Subscription]:
    return Subscription.objects.filter(session__in=Session.objects.over())


@chore("expired sessions, now ended", do=SessionQuerySet.expire)
def expired_sessions() -> QuerySet[Session]:
    return Session.objects.expired()


@chore("sessions without a call")
def unused_sessions() -> QuerySet[Session]:
    return Session.objects.over(timezone.now() - LAST_WORDS).filter(calls=0)


@chore("sessions that ended 30 days ago")
def old_sessions() -> QuerySet[Session]:
    return Session.objects.filter(ended_at__lte=timezone.now() - HISTORY, calls__gt=0)


@chore("WebSocket tickets that nobody used")
def old_tickets() -> QuerySet[WebSocketTicket]:
    return WebSocketTicket.objects.filter(expires_at__lte=timezone.now())


@chore("session tokens that ended 30 days ago")
def old_session_tokens() -> QuerySet[SessionToken]:
    return SessionToken.objects.over(timezone.now() - HISTORY)


# A family that is over refuses them by itself. One of a thousand could take four thousand with it.
@chore("refresh tokens of families that are over")
def old_refresh_tokens() -> QuerySet[RefreshToken]:
    return RefreshToken.objects.filter(family__in=TokenFamily.objects.over(timezone.now()))


@chore("token families that ended 30 days ago")
def old_families() -> QuerySet[TokenFamily]:
    return TokenFamily.objects.over(timezone.now() - HISTORY)


@chore("revoked JWTs that have expired")
def old_revoked_tokens() -> QuerySet[RevokedToken]:
    return RevokedToken.objects.filter(expires_at__lte=timezone.now())


@chore("networks that nobody signed in from for 90 days")
def old_networks() -> QuerySet[FamiliarNetwork]:
    return FamiliarNetwork.objects.strange()


@chore("expired sign-ins to the admin")
def old_sign_ins() -> QuerySet[SignIn]:
    return SignIn.objects.filter(expire_date__lte=timezone.now())


@chore("old counts of refusals")
def old_refusals() -> QuerySet[RefusalHour]:
    return RefusalHour.objects.past_its_time()


@chore("workers that are gone")
def gone_workers() -> QuerySet[Worker]:
    return Worker.objects.gone()
