"""The record as a file: CSV for a spreadsheet, JSON lines for a program. Page by page, however much it is."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

from sessions_app.plain_text import visible

from .models.tool_call import ToolCall, ToolCallQuerySet

COLUMNS = (
    "id", "started_at", "duration_ms", "kind", "name", "outcome", "error_id", "user_id", "username", "credential",
    "session_id", "client_name", "client_version", "ip", "arguments_size", "arguments_digest",
)  # fmt: skip
OF_ARGUMENTS = ("arguments_size", "arguments_digest")
WITHOUT_ARGUMENTS = tuple(column for column in COLUMNS if column not in OF_ARGUMENTS)
Columns = Sequence[str]
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes a cell for that begins so; in some languages the wide ones, too."""


@dataclass(frozen=True)
class Format:
    name: str
    extension: str
    content_type: str
    head: Callable[[Columns], str]
    write: Callable[[Iterable[ToolCall], Columns], str]

    def text(self, calls: ToolCallQuerySet, columns: Columns = COLUMNS) -> Iterator[str]:
        """Piece by piece, newest first. Each piece costs a query."""
        yield self.head(columns)
        for page in calls.in_pages():
            yield self.write(page, columns)


def values_of(call: ToolCall, columns: Columns) -> list[Any]:
    return [plain(getattr(call, column)) for column in columns]


def plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case float():
            return round(value, 3)
        case _:
            return value


def cell(value: Any) -> Any:
    """Texts are as clients wrote them: nothing in one may act, in a spreadsheet or in a terminal."""
    if not isinstance(value, str):
        return value
    return f"'{visible(value)}" if value.lstrip(" ").startswith(FORMULA) else visible(value)


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """All texts in quotes, for those who separate by semicolons."""
    out = StringIO()
    csv.writer(out, quoting=csv.QUOTE_NONNUMERIC).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def csv_head(columns: Columns) -> str:
    return csv_lines([columns])


def write_csv(calls: Iterable[ToolCall], columns: Columns) -> str:
    return csv_lines(values_of(call, columns) for call in calls)


def no_head(columns: Columns) -> str:
    return ""


def write_json_lines(calls: Iterable[ToolCall], columns: Columns) -> str:
    """In ASCII, so that what would act in a terminal is spelled out, and comes back as it was."""
    return "".join(json.dumps(dict(zip(columns, values_of(call, columns), strict=True))) + "\n" for call in calls)


FORMATS = {
    "csv": Format("CSV", "csv", "text/csv; charset=utf-8", csv_head, write_csv),
    "jsonl": Format("JSON lines", "jsonl", "application/jsonl; charset=utf-8", no_head, write_json_lines),
}
