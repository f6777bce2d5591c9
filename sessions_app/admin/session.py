from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from sessions_app.models import Session

from .history import ReadOnly
from .people import AboutPeople


class IsLive(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        if self.value() == "live":
            return queryset.filter(ended_at=None)
        if self.value() == "ended":
            return queryset.exclude(ended_at=None)
        return queryset


@admin.register(Session)
class SessionAdmin(ReadOnly, AboutPeople):
    """History, so read-only; but a live one can be ended."""

    list_display = ("label", "user", "client", "is_live", "last_activity_at", "calls", "errors", "mean_ms")
    list_filter = (IsLive, "transport", "last_activity_at")
    list_select_related = ("user",)
    search_fields = ("label", "user__username", "client_name", "ip")
    actions = ("end",)
    # In the handshake era it routes; nobody needs to read it.
    never_searched = ("public_id",)
    fieldsets = (
        (None, {"fields": ("user", "label", "client", "is_live", "end_reason")}),
        ("Activity", {"fields": ("opened_at", "last_activity_at", "ended_at")}),
        ("Calls", {"fields": ("calls", "errors", "mean_ms", "last_call_at")}),
        ("Connection", {"fields": ("credential", "transport", "protocol_version", "ip", "user_agent")}),
    )

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Ending is what may be changed about a session."""
        return request.user.has_perm("sessions_app.change_session")

    @admin.display(description="client", ordering="client_name")
    def client(self, session: Session) -> str:
        return f"{session.client_name} {session.client_version}".strip() or "—"

    @admin.display(description="live", boolean=True)
    def is_live(self, session: Session) -> bool:
        return session.is_live

    @admin.display(description="mean time (ms)")
    def mean_ms(self, session: Session) -> str:
        return f"{session.total_ms / session.calls:.1f}" if session.calls else "—"

    @admin.action(
        description="End this session",
        description_plural="End the selected sessions",
        permissions=["end"],
        location=[admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM],
    )
    def end(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        sessions = self.allowed(request, queryset.select_related("user"))
        ended = [session for session in sessions if session.end(f"by {request.user.get_username()}")]
        for session in ended:
            self.log_change(request, session, "Ended.")
        messages.success(request, f"Ended: {len(ended)}. Ended before: {len(sessions) - len(ended)}.")
