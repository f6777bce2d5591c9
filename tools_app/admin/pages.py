"""A list of what may be millions of rows: nothing of it is counted, sorted or skipped."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest

from tools_app.models.tool_call import NEWEST_FIRST, ToolCall, ToolCallQuerySet

PLACE = re.compile(r"(?P<microseconds>[0-9]{1,16})-(?P<pk>[0-9]{1,18})")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Pages(ChangeList):
    """Newest first. A page begins after the last row of the one before, which its address says: `?p=`."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        return list(NEWEST_FIRST)

    def get_results(self, request: HttpRequest) -> None:
        assert isinstance(self.queryset, ToolCallQuerySet)  # noqa: S101 (the manager's)
        last = call_at(request.GET.get(PAGE_VAR, ""))
        found = list((self.queryset.older_than(last) if last else self.queryset)[: self.list_per_page + 1])
        self.result_list = found[: self.list_per_page]
        self.result_count = len(self.result_list)
        self.newest = self.get_query_string() if last else None
        is_more = len(found) > self.list_per_page
        self.older = self.get_query_string({PAGE_VAR: place_of(found[-2])}) if is_more else None
        # What Django's own templates ask for, had it counted.
        self.full_result_count = self.paginator = None
        self.show_full_result_count = self.show_admin_actions = self.multi_page = self.can_show_all = False


def place_of(call: ToolCall) -> str:
    return f"{(call.started_at - EPOCH) // timedelta(microseconds=1)}-{call.pk}"


def call_at(place: str) -> ToolCall | None:
    """No row, but its place among them. None for what is no place: that is the first page."""
    match = PLACE.fullmatch(place)
    if match is None:
        return None
    moment = EPOCH + timedelta(microseconds=int(match["microseconds"]))
    return ToolCall(pk=int(match["pk"]), started_at=moment)
