"""API keys: long-lived, made by an operator or with `manage.py createkey`."""

from collections.abc import Collection

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import ApiKey
from sessions_app.pool import background_pool
from sessions_app.principal import Principal

IDENTITY = "api-key"


def current(ids: Collection[str]) -> list[Principal]:
    """What those of these keys that are still valid may do now. `ids` are what follows `api-key:`."""
    return ApiKey.principals([int(pk) for pk in ids])


def authenticate(secret: str) -> Principal | None:
    """Two queries: the key with its user, and what the user may do. None at all for a wrong checksum."""
    if not secret.startswith(f"{tokens.API_KEY}_"):
        return None
    token = tokens.parse(secret)
    if token is None:
        raise Unauthenticated("an API key with a wrong checksum")
    key = ApiKey.objects.valid().by_token(token).select_related("user").first()
    if key is None or not key.is_digest_of(token):
        raise Unauthenticated(f"API key {tokens.API_KEY}_{token.public_id} is unknown, expired or revoked")
    if key.is_due_to_note_use(token):
        background_pool.later(lambda: key.note_use(token))
    return key.principal()
