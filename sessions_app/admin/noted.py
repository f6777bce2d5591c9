"""Pages that show of a row what is not in it: noted on all rows of a list at once, and on one on its own page."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from sessions_app.unfolded import ModelAdmin


class NotedList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        page: Any = self.model_admin
        page.note(self.result_list)


class Noted(ModelAdmin):
    def note(self, rows: list[Any]) -> None:
        """Write it on them."""
        raise NotImplementedError

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return NotedList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        self.note([] if row is None else [row])
        return row
