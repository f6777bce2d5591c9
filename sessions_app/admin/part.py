"""What a page shows below an object, of what belongs to it: to be looked at, and no more than a person reads."""

from typing import Any

from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone

from sessions_app.unfolded import Inline

MOST_SHOWN = 250
"""Rows."""


class FirstOnes(BaseInlineFormSet):  # type: ignore[type-arg]  # generic in the stubs only
    """Never bound: nothing of it can be sent, so nothing that is sent concerns it."""

    most = MOST_SHOWN

    def __init__(self, data: Any = None, files: Any = None, **kwargs: Any) -> None:
        for unused in ("request", "per_page", "count", "count_variant"):  # what Unfold's own sets take
            kwargs.pop(unused, None)
        super().__init__(None, None, **kwargs)

    def get_queryset(self) -> QuerySet[Any]:
        if not hasattr(self, "_first_ones"):
            self._first_ones = super().get_queryset()[: self.most]
        return self._first_ones

    def is_valid(self) -> bool:
        return True

    def has_changed(self) -> bool:
        return False

    def save(self, commit: bool = True) -> list[Any]:
        self.new_objects: list[Any] = []
        self.changed_objects: list[Any] = []
        self.deleted_objects: list[Any] = []
        return []


class Part(Inline):  # type: ignore[misc]  # Any
    formset = FirstOnes
    extra = 0
    can_delete = False
    show_title = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def moment(time: Any) -> str:
    return f"{timezone.localtime(time):%Y-%m-%d %H:%M:%S}" if time else "—"
