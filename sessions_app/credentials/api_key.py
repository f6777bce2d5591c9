"""API keys: long-lived, made by an operator or with `manage.py createkey`."""

from collections.abc import Collection

from sessions_app.models import ApiKey
from sessions_app.principal import Principal

from . import opaque

IDENTITY = ApiKey.IDENTITY


def current(ids: Collection[str]) -> list[Principal]:
    """What those of these keys that are still valid may do now. `ids` are what follows `api-key:`: which key, and
    which of its secrets was shown, unless it was the first.
    """
    shown = [(int(pk), int(number or 0)) for pk, _, number in (text.partition(".") for text in ids)]
    keys = {key.pk: key for key in ApiKey.still_valid({pk for pk, _ in shown})}
    principals = dict(zip(keys, ApiKey.principals(keys.values()), strict=True))
    return [
        keys[pk].by_secret(principals[pk], number)
        for pk, number in shown
        if pk in keys and keys[pk].has_secret(number)
    ]


def last_words(ids: Collection[str]) -> dict[str, str]:
    """What the holders of revoked ones are told, by what follows `api-key:`."""
    pks = {text: int(text.partition(".")[0]) for text in ids}
    messages = ApiKey.messages(pks.values())
    return {text: messages[pk] for text, pk in pks.items() if pk in messages}


def authenticate(secret: str, address: str | None) -> Principal | None:
    return opaque.authenticate(ApiKey, secret, address)
