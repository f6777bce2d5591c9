"""What the log says of those who sign in, and of those who fail to. Names of headers, never what is in them."""

import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import transaction
from django.http import HttpRequest

from .principal import Principal
from .refusals import Reason, of_limit, refusals

if TYPE_CHECKING:
    from .models import Session, User

logger = logging.getLogger(__name__)

PLAIN_NAME = re.compile(r"[a-z0-9-]{1,40}")
"""Whoever pastes a secret where a name belongs does not find it in the log: ours have an underscore."""
MOST_NAMES = 30


def header_names(names: Iterable[str]) -> str:
    plain = sorted({name.lower() for name in names if PLAIN_NAME.fullmatch(name.lower())})
    return ", ".join(plain[:MOST_NAMES])


def note_opening(session: "Session", principal: Principal) -> None:
    """A caller was authenticated: once a session, not each call."""
    text = "User %s authenticated from %s by %s: a session for %s was opened"
    client = session.client_name or "an unnamed client"
    known = (principal.username, session.ip, principal.credential, client)
    transaction.on_commit(lambda: logger.info(text, *known))


def connect() -> None:
    user_logged_in.connect(note_success)
    user_login_failed.connect(note_failure)


def note_success(request: HttpRequest | None, user: "User", **signal: Any) -> None:
    logger.info("User %s signed in from %s with a password", user, address_of(request))


def note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **signal: Any) -> None:
    """People type their password where their name belongs: a name is only written if it is somebody's."""
    refusals.count(Reason.SIGN_IN)
    username = str(credentials.get("username", ""))[:150]
    known = get_user_model().objects.filter(username=username.replace("\x00", "")).exists()
    sent = header_names(request.headers) if request is not None else ""
    who = f"user {username}" if known else "nobody that is known"
    address = address_of(request)
    fields = {"reason": str(Reason.SIGN_IN), "ip": address}
    logger.warning("Sign-in of %s failed from %s (headers: %s)", who, address, sent, extra={"fields": fields})


def note_too_many(network: str, limit: str) -> None:
    """Not whose account it is: what was typed may be a password."""
    refusals.count(of_limit(limit))
    fields = {"reason": of_limit(limit), "ip": network}
    text = "A sign-in from %s was refused unlooked at: too many failed (%s)"
    logger.warning(text, network, limit, extra={"fields": fields})


def address_of(request: HttpRequest | None) -> str:
    return "an unknown address" if request is None else str(request.META.get("REMOTE_ADDR"))
