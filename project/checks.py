"""What is refused at start, because it would only show later: as lost sessions, wrong limits or forged tokens."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

OURS = "concierge"
FEWEST_CHARACTERS = 10
"""Different ones in a secret key. 32 random hexadecimal digits have fewer once in ten thousand keys."""
PLACEHOLDER = re.compile(
    r"django-insecure-|(change|replace)[-_ ]?(me|this|it)|your[-_ ]|(my[-_ ]?)?secret[-_ ]?key|insecure|example",
    re.IGNORECASE,
)
"""How keys begin that are printed in guides and templates, and so are known to everybody."""


@register(OURS)
def workers_share_state(**kwargs: Any) -> list[CheckMessage]:
    count = settings.CONFIG.workers
    if count == 1 or settings.CONFIG.redis_url:
        return []
    return [
        Error(
            f"WORKERS={count} without REDIS_URL: each worker would count limits and deliver messages for itself.",
            hint="Set REDIS_URL=redis://…, or unset WORKERS.",
            id="concierge.E001",
        )
    ]


@register(OURS)
def workers_share_a_database(**kwargs: Any) -> list[CheckMessage]:
    count = settings.CONFIG.workers
    if count == 1 or connections["default"].vendor != "sqlite":
        return []
    return [
        Error(
            f"WORKERS={count} on SQLite: it lets one writer in at a time, so more workers would only wait.",
            hint="Set DATABASE_URL=postgres://…, or unset WORKERS.",
            id="concierge.E002",
        )
    ]


@register(OURS, Tags.security)
def secret_keys_are_secret(**kwargs: Any) -> list[CheckMessage]:
    names = {"SECRET_KEY": [settings.SECRET_KEY], "SECRET_KEY_FALLBACKS": settings.SECRET_KEY_FALLBACKS}
    return [
        Error(
            f"{name} can be guessed: it is a placeholder, or repeats few characters.",
            hint='Make one with python3 -c "import secrets; print(secrets.token_urlsafe(48))"; docs/settings.md'
            " says how to change it without a gap.",
            id="concierge.E003",
        )
        for name, keys in names.items()
        if any(can_be_guessed(key) for key in keys)
    ]


def can_be_guessed(key: str) -> bool:
    is_repetition = key in (key + key)[1:-1]
    return is_repetition or len(set(key)) < FEWEST_CHARACTERS or PLACEHOLDER.match(key) is not None
