"""The record, page by page."""

import re
from datetime import UTC, datetime, timedelta

from sessions_app.admin.pages import PagesByPlace
from tools_app.models.tool_call import NEWEST_FIRST, ToolCall, ToolCallQuerySet

PLACE = re.compile(r"(?P<microseconds>[0-9]{1,16})-(?P<pk>[0-9]{1,18})")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Pages(PagesByPlace):
    newest_first = NEWEST_FIRST

    def place_of(self, row: ToolCall) -> str:
        return f"{(row.started_at - EPOCH) // timedelta(microseconds=1)}-{row.pk}"

    def after(self, place: str) -> ToolCallQuerySet | None:
        assert isinstance(self.queryset, ToolCallQuerySet)  # noqa: S101 (the manager's)
        last = call_at(place)
        return self.queryset.older_than(last) if last else None


def call_at(place: str) -> ToolCall | None:
    """No row, but its place among them. None for what is no place: that is the first page."""
    match = PLACE.fullmatch(place)
    if match is None:
        return None
    moment = EPOCH + timedelta(microseconds=int(match["microseconds"]))
    return ToolCall(pk=int(match["pk"]), started_at=moment)
