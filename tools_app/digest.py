"""What the record keeps of a call's arguments: how large they were, and a keyed digest. Never the values."""

import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson
from django.conf import settings

from sessions_app import tokens
from sessions_app.principal import Principal

from .models import ToolCall

LENGTH = 32
"""Hexadecimal digits."""


def digest(arguments: Any, *about: object) -> str:
    """HMAC-SHA-256 of the arguments (as JSON) and of what the call was about, hex, cut to half.

    It tells equal calls and nothing else. Without the key nobody can try values against it. And who is calling is
    a part of `about`: or else whoever reads the record could call with guesses of his own and compare.
    """
    keyed = keyed_by(settings.SECRET_KEY).copy()
    keyed.update(orjson.dumps((*about, arguments), option=orjson.OPT_SORT_KEYS))
    return keyed.hexdigest()[:LENGTH]


def digest_for(principal: Principal, kind: str, name: str, arguments: bytes) -> str:
    """Of one call, with arguments as JSON. A guest is no user."""
    return digest(orjson.loads(arguments), principal.account or principal.credential, kind, name)


def digest_of_call(principal: Principal, params: Mapping[str, Any]) -> str:
    """The same of a `tools/call` that was not looked at yet."""
    about = principal.account or principal.credential, ToolCall.Kind.TOOL.value, str(params.get("name"))
    return digest(params.get("arguments") or {}, *about)


@lru_cache(maxsize=4)
def keyed_by(secret_key: str) -> hmac.HMAC:
    """To copy: that takes half the time of beginning with the key."""
    return hmac.new(tokens.purpose_key(secret_key, "record/arguments"), digestmod=sha256)
