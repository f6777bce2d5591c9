"""People who are signed in to the admin, by their cookie. It opens nothing of MCP: a page asks for a ticket."""

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session as SignIn
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from sessions_app.limits import CALLS, Bucket
from sessions_app.models import User
from sessions_app.principal import Principal

IDENTITY = "browser"
"""What sessions of MCP bind to. Which browser it is stays out of them: the cookie's value is a secret."""


def principal(user: User, session_key: str, granted: frozenset[str] | None = None) -> Principal:
    """Who is signed in by that session of Django's. `granted`: what he may do, if that is known."""
    return Principal(
        account=user.pk,
        username=user.get_username(),
        credential=IDENTITY,
        label=user.get_username(),
        permissions=user.permission_names() if granted is None else granted,
        buckets=(Bucket(CALLS, f"user:{user.pk}"),),
        token=f"{IDENTITY}:{session_key}",
    )


def current(ids: Collection[str]) -> list[Principal]:
    """Those who are still signed in. `ids` are what follows `browser:`. A few queries for all of them."""
    rows = SignIn.objects.filter(session_key__in=ids, expire_date__gt=timezone.now())
    kept = {row.session_key: row.get_decoded() for row in rows}
    users = {
        str(user.pk): user
        for user in User.objects.filter(
            pk__in={data[SESSION_KEY] for data in kept.values() if SESSION_KEY in data},
            is_active=True,
            is_service=False,
        )
    }
    granted = User.permission_names_of(list(users.values()))
    return [
        principal(user, key, granted[user.pk])
        for key, data in kept.items()
        if (user := users.get(data.get(SESSION_KEY, ""))) is not None and is_signed_in(user, data)
    ]


def is_signed_in(user: User, data: Mapping[str, Any]) -> bool:
    """As `django.contrib.auth.get_user` decides it: not since the password was changed."""
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    shown = data.get(HASH_SESSION_KEY, "")
    is_known = data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS
    return is_known and any(constant_time_compare(shown, fitting) for fitting in hashes)
