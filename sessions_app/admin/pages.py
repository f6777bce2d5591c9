"""A list of what may be millions of rows: nothing of it is counted, sorted or skipped."""

from typing import Any, ClassVar

from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest


class PagesByPlace(ChangeList):
    """Newest first. A page begins after the last row of the one before, which its address says: `?p=`."""

    newest_first: ClassVar[tuple[str, ...]]

    def place_of(self, row: Any) -> str:
        """What the address says of `row`."""
        raise NotImplementedError

    def after(self, place: str) -> QuerySet[Any] | None:
        """The rows after that one. None for what is no place: that is the first page."""
        raise NotImplementedError

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str | Combinable]:
        return list(self.newest_first)

    def get_results(self, request: HttpRequest) -> None:
        rows = self.after(request.GET.get(PAGE_VAR, ""))
        found = list((self.queryset if rows is None else rows)[: self.list_per_page + 1])
        self.result_list = found[: self.list_per_page]
        self.result_count = len(self.result_list)
        self.newest = None if rows is None else self.get_query_string()
        is_more = len(found) > self.list_per_page
        self.older = self.get_query_string({PAGE_VAR: self.place_of(found[-2])}) if is_more else None
        # What Django's own templates ask for, had it counted.
        self.full_result_count = self.paginator = None
        self.show_full_result_count = self.show_admin_actions = self.multi_page = self.can_show_all = False
