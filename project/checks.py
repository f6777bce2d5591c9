"""What is refused at start, because it would only show later: as lost sessions, wrong limits or forged tokens."""

import re
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from . import tracing
from .config import SHORTEST_SECRET_KEY

OURS = "concierge"
FEWEST_CHARACTERS = 10
"""Different ones in a secret key. 32 random hexadecimal digits have fewer once in ten thousand keys."""
PLACEHOLDER = re.compile(
    r"secret[-_ ]?key|(change|replace)[-_ ]?(me|this|it)|do[-_ ]?not[-_ ]?use|placeholder|example|password"
    r"|insecure|^your[-_ ]",
    re.IGNORECASE,
)
"""What is in keys that are printed in guides and templates, and so are known to everybody. Seven letters that
stand anywhere are in one of a hundred million random keys."""


@register(OURS)
def workers_share_state(**kwargs: Any) -> list[CheckMessage]:
    count = settings.CONFIG.workers
    if count == 1 or settings.CONFIG.redis_url:
        return []
    return [
        Error(
            f"WORKERS={count} without REDIS_URL: each worker would count limits and deliver messages for itself.",
            hint="Set REDIS_URL=redis://…, or leave it at one worker (WORKERS, or --workers).",
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
            hint="Set DATABASE_URL=postgres://…, or leave it at one worker (WORKERS, or --workers).",
            id="concierge.E002",
        )
    ]


@register(OURS, Tags.security)
def secret_keys_are_secret(**kwargs: Any) -> list[CheckMessage]:
    names = {"SECRET_KEY": [settings.SECRET_KEY], "SECRET_KEY_FALLBACKS": settings.SECRET_KEY_FALLBACKS}
    if (token := settings.CONFIG.metrics_token) is not None:
        names["CONCIERGE_METRICS_TOKEN"] = [token.get_secret_value()]
    return [
        Error(
            f"{name} can be guessed: it is a placeholder, has fewer than {SHORTEST_SECRET_KEY} characters, or"
            " repeats or counts up a few.",
            hint='Make one with python3 -c "import secrets; print(secrets.token_urlsafe(48))"; docs/settings.md'
            " says how to change it without a gap, and where it is when it is not in the environment.",
            id="concierge.E003",
        )
        for name, keys in names.items()
        if any(can_be_guessed(key) for key in keys)
    ]


@register(OURS)
def traces_can_be_exported(**kwargs: Any) -> list[CheckMessage]:
    if not tracing.is_wanted():
        return []
    problems: list[CheckMessage] = []
    if not tracing.is_installed():
        problems.append(
            Error(
                f"{tracing.ENDPOINTS[0]} is set, but the packages that export traces are not installed.",
                hint=".venv/bin/pip install --require-hashes -r requirements/otel.txt; or unset it.",
                id="concierge.E004",
            )
        )
    if problem := tracing.problem():
        problems.append(Error(problem, hint="docs/tracing.md says what is understood.", id="concierge.E005"))
    return problems


def can_be_guessed(key: str) -> bool:
    is_repetition = key in (key + key)[1:-1]
    has_few_characters = len(key) < SHORTEST_SECRET_KEY or len(set(key)) < FEWEST_CHARACTERS
    return is_repetition or has_few_characters or is_sequence(key) or PLACEHOLDER.search(key) is not None


def is_sequence(key: str) -> bool:
    """Most of it goes on as the alphabet or the digits do, up or down: 0123456789abcdef…"""
    steps = [abs(ord(after) - ord(before)) for before, after in pairwise(key)]
    return steps.count(1) > len(steps) / 2
