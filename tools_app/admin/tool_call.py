import logging
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from sessions_app.admin.history import ReadOnly, link
from sessions_app.download import download
from sessions_app.models import Session, User
from sessions_app.plain_text import visible
from tools_app.export import COLUMNS, FORMATS, WITHOUT_ARGUMENTS, Format
from tools_app.models.tool_call import ToolCall

from .filters import ByDetails, ByKind, ByOutcome, question
from .pages import Pages

logger = logging.getLogger(__name__)

NARROWED_BY = frozenset({ByOutcome.parameter_name, ByKind.parameter_name, *ByDetails.parameters})


ARGUMENTS = "Arguments"


def may_see_arguments(request: HttpRequest) -> bool:
    """Their size, and a digest by which equal ones of one caller are found. Of the arguments nothing is kept."""
    return request.user.has_perm("tools_app.view_arguments")


@admin.register(ToolCall)
class ToolCallAdmin(ReadOnly):
    """The record. It refers to nothing that can go, so its links may lead to what is gone."""

    list_display = ("when", "kind", "shown_name", "user", "client", "came_of_it", "duration")
    list_filter = (ByOutcome, ByKind, ByDetails)
    search_fields = ("name", "username", "credential", "error_id")
    search_help_text = "A whole name of a tool or user, an error id, or a credential such as api-key:7."
    show_facets = admin.ShowFacets.NEVER
    list_before_template = "admin/tools_app/toolcall/export.html"
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("when", "kind", "shown_name", "outcome", "error_id", "duration")}),
        (ARGUMENTS, {"fields": ("arguments_size", "arguments_digest")}),
        ("Caller", {"fields": ("user", "shown_credential", "session", "client", "ip")}),
    )

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("tools_app.export_toolcall")

    def get_fieldsets(self, request: HttpRequest, obj: ToolCall | None = None) -> Any:
        return [part for part in self.fieldsets if part[0] != ARGUMENTS or may_see_arguments(request)]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Django would let anybody who may look filter by `?name__contains=`, for as long as that takes."""
        return lookup in NARROWED_BY

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ToolCall], search_term: str
    ) -> tuple[QuerySet[ToolCall], bool]:
        text = search_term.strip()
        return (question(queryset).search(text) if text else queryset), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Pages]:
        return Pages

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {**(extra_context or {}), "has_export_permission": self.has_export_permission(request)}
        return super().changelist_view(request, {**context, "title": "The record", "formats": FORMATS})

    def get_urls(self) -> list[Any]:
        export = self.admin_site.admin_view(require_POST(self.export))
        return [path("export/", export, name="tools_app_toolcall_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """All that the list is narrowed to, as its address says it; noted before the first row leaves."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        chosen = FORMATS.get(request.POST.get("format", ""))
        if chosen is None:
            return HttpResponseBadRequest("There is no such format.", content_type="text/plain")
        changelist = self.get_changelist_instance(request)
        if changelist.query != request.GET.get(SEARCH_VAR, ""):
            raise SuspiciousOperation("A search that cannot be made would find everything")
        self.note_export(request, chosen, changelist.params)
        columns = COLUMNS if may_see_arguments(request) else WITHOUT_ARGUMENTS
        pieces = chosen.text(question(changelist.queryset), columns)
        return download("record", chosen.extension, chosen.content_type, pieces)

    def note_export(self, request: HttpRequest, chosen: Format, narrowed: dict[str, str]) -> None:
        assert isinstance(request.user, User)  # noqa: S101 (who has the permission)
        of = visible(", ".join(f"{name} {value}" for name, value in sorted(narrowed.items()) if value))
        LogEntry.objects.create(
            user=request.user,
            content_type=ContentType.objects.get_for_model(ToolCall),
            object_repr="The record",
            action_flag=CHANGE,
            change_message=f"Exported as {chosen.name}: {of or 'everything'}.",
        )
        logger.info(
            "%s exported the record as %s: %s", request.user.get_username(), chosen.name, of or "everything"
        )

    @admin.display(description="when")
    def when(self, call: ToolCall) -> str:
        return timezone.localtime(call.started_at).isoformat(" ", "milliseconds").partition("+")[0]

    @admin.display(description="name")
    def shown_name(self, call: ToolCall) -> str:
        return visible(call.name)

    @admin.display(description="user")
    def user(self, call: ToolCall) -> str:
        return link(User, call.user_id, visible(call.username))

    @admin.display(description="credential")
    def shown_credential(self, call: ToolCall) -> str:
        return visible(call.credential)

    @admin.display(description="client")
    def client(self, call: ToolCall) -> str:
        return visible(f"{call.client_name} {call.client_version}".strip()) or "—"

    @admin.display(description="outcome")
    def came_of_it(self, call: ToolCall) -> str:
        return f"{call.get_outcome_display()} {call.error_id}".strip()

    @admin.display(description="duration (ms)")
    def duration(self, call: ToolCall) -> str:
        return f"{call.duration_ms:.1f}"

    @admin.display(description="session")
    def session(self, call: ToolCall) -> str:
        return link(Session, call.session_id, f"#{call.session_id}" if call.session_id else "")
