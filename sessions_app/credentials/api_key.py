"""API keys: long-lived, made by an operator or with `manage.py createkey`."""

from collections.abc import Collection

from sessions_app.models import ApiKey
from sessions_app.principal import Principal

from . import opaque

IDENTITY = ApiKey.IDENTITY


def current(ids: Collection[str]) -> list[Principal]:
    """What those of these keys that are still valid may do now. `ids` are what follows `api-key:`."""
    return ApiKey.principals(ApiKey.still_valid([int(pk) for pk in ids]))


def authenticate(secret: str) -> Principal | None:
    return opaque.authenticate(ApiKey, secret)
