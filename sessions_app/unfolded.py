"""Django's admin in Unfold's dress. The one module that imports it; what others need of it they find here.

Unfold ships no types, so each of these is Any to a type checker.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.admin import TabularInline as Inline
from unfold.decorators import display
from unfold.forms import ActionForm, AdminPasswordChangeForm, AuthenticationForm, UserChangeForm, UserCreationForm
from unfold.sites import UnfoldAdminSite as Site
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget as Checkboxes
from unfold.widgets import UnfoldAdminSelectWidget as Select
from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

from sessions_app.bounded import BoundedPaginator

__all__ = [
    "ActionForm", "AdminPasswordChangeForm", "AuthenticationForm", "Checkboxes", "Inline", "ModelAdmin", "Select",
    "Site", "TextInput", "Textarea", "UserChangeForm", "UserCreationForm", "display",
]  # fmt: skip


LONGEST_SEARCH = 500
KINDS = ("exact", "isnull", "gte", "lt", "id__exact")
"""Of questions that Django's filters of a field ask."""


def asked_by(filters: Iterable[Any]) -> Iterator[str]:
    """The names in an address by which these narrow a list."""
    for each in filters:
        if isinstance(each, str):
            yield from (each, *(f"{each}__{kind}" for kind in KINDS))
        else:
            yield from getattr(each, "parameters", (each.parameter_name,))


def nothing_of_that(why: str) -> HttpResponse:
    return HttpResponseBadRequest(why, content_type="text/plain")


class ModelAdmin(UnfoldModelAdmin):  # type: ignore[misc]  # Any
    list_fullwidth = True
    list_disable_select_all = True
    paginator: Any = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What the page's own filters ask. Django would take any question about the model's fields from who may
        look, `?name__regex=` among them, for as long as that takes; on SQLite nobody else is served meanwhile.
        """
        return lookup in set(asked_by(self.get_list_filter(request)))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if len(request.GET.get(SEARCH_VAR, "")) > LONGEST_SEARCH:
            return nothing_of_that("The search is too long.")
        try:
            response: HttpResponse = super().changelist_view(request, extra_context)
        except (OverflowError, DataError):  # a number or a time that no row can have, or a text with NUL
            return nothing_of_that("No row can be as the address says.")
        # Unfold keeps the last request on the page's one object, which all threads share.
        self.__dict__.pop("request", None)
        return response

    def changeform_view(self, request: HttpRequest, *where: Any, **named: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().changeform_view(request, *where, **named)
        except (OverflowError, DataError):  # SQLite cannot even look for a number of more than 64 bits
            return nothing_of_that("No row can be as the form says.")
        return response

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django looks for the object first, and so tells those who may see none which there are."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        response: HttpResponse = super().history_view(request, object_id, extra_context)
        return response

    def response_action(self, request: HttpRequest, queryset: Any, *where: Any, **named: Any) -> Any:
        try:
            for pk in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(pk)
        except ValidationError:
            return nothing_of_that("What was selected is no row of this list.")
        return super().response_action(request, queryset, *where, **named)

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: Any = None,
        action_location: admin.ActionLocation = admin.ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        """Unfold's knows nothing of Django's actions on the page of one object."""
        blank = [("", "Select action")]
        return admin.ModelAdmin.get_action_choices(self, request, blank, action_location)
