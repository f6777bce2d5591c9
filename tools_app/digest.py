"""What the record keeps of a call's arguments: how large they were, and a keyed digest. Never the values."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson
from django.conf import settings

from sessions_app import tokens
from sessions_app.principal import Principal

from .models import ToolCall

LENGTH = 32
"""Hexadecimal digits."""
TOOL = ToolCall.Kind.TOOL.value


def digest(arguments: Any, *about: object) -> str:
    """Keyed BLAKE2b (RFC 7693) of the arguments (as JSON) and of what the call was about, in hexadecimal digits.

    It tells equal calls and nothing else. Without the key nobody can try values against it. And who is calling is
    a part of `about`: or else whoever reads the record could call with guesses of his own and compare.
    """
    text = orjson.dumps((*about, arguments), option=orjson.OPT_SORT_KEYS)
    return blake2b(text, key=key_of(settings.SECRET_KEY), digest_size=LENGTH // 2).hexdigest()


def digest_for(principal: Principal, kind: str, name: str, arguments: bytes) -> str:
    """Of one call, with arguments as JSON. A guest is no user."""
    return digest(orjson.loads(arguments), principal.account or principal.credential, kind, name)


def digest_of_call(principal: Principal, params: Mapping[str, Any]) -> str:
    """The same of a `tools/call` that was not looked at yet."""
    caller = principal.account or principal.credential
    return digest(params.get("arguments") or {}, caller, TOOL, str(params.get("name")))


@lru_cache(maxsize=4)
def key_of(secret_key: str) -> bytes:
    return tokens.purpose_key(secret_key, "record/arguments")
