"""Lists of what may be a million rows, by numbered pages: counted and skipped as far as anybody turns pages."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

MOST = 10_000
"""Rows that can be reached page by page. Who looks for another one narrows the list, or searches."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """`paginator = BoundedPaginator` and `show_full_result_count = False` on a ModelAdmin."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        assert isinstance(rows, QuerySet)  # noqa: S101 (the admin's)
        return rows.order_by()[:MOST].count()
