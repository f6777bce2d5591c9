"""What the record keeps of a call's arguments: how large they were, and a keyed digest. Never the values."""

import hmac
from functools import lru_cache
from hashlib import sha256

import orjson
from django.conf import settings

from sessions_app import tokens

LENGTH = 32
"""Hexadecimal digits."""


def digest(arguments: bytes | str, *about: object) -> str:
    """HMAC-SHA-256 of the arguments (JSON, in whatever order) and of what the call was about, hex, cut to half.

    It tells equal calls and nothing else. Without the key nobody can try values against it. And who is calling is
    a part of `about`: or else whoever reads the record could call with guesses of his own and compare.
    """
    keyed = keyed_by(settings.SECRET_KEY).copy()
    keyed.update(orjson.dumps((*about, orjson.loads(arguments)), option=orjson.OPT_SORT_KEYS))
    return keyed.hexdigest()[:LENGTH]


@lru_cache(maxsize=4)
def keyed_by(secret_key: str) -> hmac.HMAC:
    """To copy: that takes half the time of beginning with the key."""
    return hmac.new(tokens.purpose_key(secret_key, "record/arguments"), digestmod=sha256)
