"""JSON as RFC 8259 has it, and as two readers cannot read it differently (RFC 7493, I-JSON)."""

import json
import re
from itertools import count
from math import isfinite
from typing import Any

import jiter
import orjson

from sessions_app.exceptions import Unparsable

DEEPEST = 64
MOST_CONTAINERS = 10_000
"""They are what parsing costs: a megabyte of brackets would hold the loop for a quarter of a second."""
LARGEST_INTEGER = 2**53 - 1

# Most bodies have no number that could be out of range, and are not walked. A regular expression
# takes 10 µs to say so; with all digits made alike, two plain searches take a tenth of that.
ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
LONG_INTEGER = b"0" * len(str(2**53))
LARGE_EXPONENT = b"0e000"

# A key that appears twice. It may be a secret, and up to a megabyte of log line.
QUOTED = re.compile(r' ".*"', re.DOTALL)


def loads(body: bytes) -> Any:
    """One JSON value from UTF-8 bytes.

    Raises: Unparsable for anything else, and for duplicate keys, NaN, infinities, lone surrogates,
    NUL characters (PostgreSQL has none), integers beyond ±(2**53 - 1) and nesting deeper than 64.
    """
    if body.count(b"[") + body.count(b"{") > MOST_CONTAINERS:
        raise Unparsable(f"Not accepted: more than {MOST_CONTAINERS} arrays and objects.")
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise Unparsable(f"Not valid JSON: {QUOTED.sub('', str(error))}.") from None
    if may_be_deep(body) or may_hold_extremes(body) or b"\\u0000" in body:
        walk(value)
    return value


def dumps(value: Any) -> bytes:
    """Compact UTF-8. What a tool returns may hold what JSON cannot: lone surrogates become `?`."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "replace"
        )


def may_be_deep(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") > DEEPEST


def may_hold_extremes(body: bytes) -> bool:
    alike = body.translate(ALIKE, b"+")
    return LONG_INTEGER in alike or LARGE_EXPONENT in alike


def walk(root: Any) -> None:
    """Level by level. Nobody is identified yet, so a megabyte of brackets must not hold up the loop."""
    level = [root]
    for depth in count(1):
        containers = [value for value in level if type(value) is list or type(value) is dict]
        if containers and depth > DEEPEST:
            raise Unparsable(f"Not accepted: nested deeper than {DEEPEST}.")
        check_scalars(level)
        if not containers:
            return
        level = [item for container in containers for item in container]
        level.extend(item for value in containers if type(value) is dict for item in value.values())


def check_scalars(values: list[Any]) -> None:
    for value in values:
        kind = type(value)
        if kind is str:
            if "\x00" in value:
                raise Unparsable("Not accepted: a NUL character.")
        elif kind is int:
            if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
                raise Unparsable("Not accepted: an integer beyond ±(2**53 - 1).")
        elif kind is float and not isfinite(value):
            raise Unparsable("Not accepted: a number out of range.")
