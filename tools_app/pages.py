"""Lists in pages. A cursor is a position by name, so that what is added or hidden meanwhile moves nothing."""

import base64
import binascii
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

from .capabilities import Prompt, Resource, Tool
from .results import COMPLETE

PAGE = 100
"""Entries in one answer."""


class Entry(NamedTuple):
    """What a list has, where it is none of those."""

    name: str
    wire: dict[str, Any]


def page(key: str, entries: Iterable[Tool | Prompt | Resource | Entry], cursor: str | None) -> dict[str, Any]:
    """The entries after `cursor`, in the order of their names. Raises: MCPError (-32602) for a bad cursor."""
    after = read_cursor(cursor) if cursor is not None else ""
    rest = (entry for entry in sorted(entries, key=lambda entry: entry.name) if entry.name > after)
    found = list(islice(rest, PAGE + 1))
    result: dict[str, Any] = {key: [entry.wire for entry in found[:PAGE]], **COMPLETE}
    if len(found) > PAGE:
        result["nextCursor"] = make_cursor(found[PAGE - 1].name)
    return result


def make_cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def read_cursor(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise MCPError(INVALID_PARAMS, "Invalid cursor") from None
