"""What the log says in fields, beside its words. How it is written is decided in `project/logs.py`."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from .plain_text import visible

PLAIN = re.compile(r"[A-Za-z0-9._:@/+-]+")

Fields = dict[str, Any]
"""Texts, numbers and None, by name."""


class Line(NamedTuple):
    at: float
    """`time.time()` of what it is about."""
    request_id: str
    words: str
    fields: Fields
    in_words: frozenset[str] = frozenset()
    """Fields that the words have, so that a text need not repeat them."""

    def __str__(self) -> str:
        others = (f"{name}={quoted(value)}" for name, value in self.fields.items() if name not in self.in_words)
        return " ".join([self.words, *others])


class Lines:
    """The message of one log record that is many lines: they are written in one go."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines

    def __str__(self) -> str:
        """For a formatter that is not ours."""
        return "\n".join(visible(str(line)) for line in self.lines)


def quoted(value: Any) -> str:
    return quoted_text(value) if isinstance(value, str) else str(value)


@lru_cache(maxsize=1024)
def quoted_text(text: str) -> str:
    """One that could pass for more than itself has quotes. Callers come again: most were looked at before."""
    return text if PLAIN.fullmatch(text) else json.dumps(visible(text), ensure_ascii=False)
