import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from sessions_app.models import Session
from sessions_app.models.session_lifetime import WEBSOCKET
from sessions_app.models.session_queryset import SessionQuerySet
from sessions_app.plain_text import visible
from sessions_app.state import state
from sessions_app.transport.envelope import fitting

from .asking import Question, asks, reason_of, typed_reason
from .history import ReadOnly
from .noted import Noted
from .people import AboutPeople
from .whole_words import WholeWords

CREDENTIALS = ("apikey", "sessiontoken", "tokenfamily", "outsideidentity")
MOST_NAMED = 10
LONGEST_NAMED = 30
"""Of a client's capabilities, whose names are as many and as long as it likes."""


ENDING = Question(
    title="End sessions",
    says="Their streams, sockets and calls in flight end at once, and what they kept is gone. Their clients may"
    " open new ones.",
    yes="End",
    reason="Why? (optional; the client is told)",
)
SHUTTING_OUT = Question(
    title="End sessions and revoke their credentials",
    says="Their streams, sockets and calls in flight end at once, and their credentials are revoked for good:"
    " whoever uses one is refused, in other sessions of it, too.",
    yes="End and revoke",
    reason="Why? (optional; the client is told)",
)


class IsLive(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("live", "Live"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        match self.value():
            case "live" if isinstance(queryset, SessionQuerySet):
                return queryset.live()
            case "ended" if isinstance(queryset, SessionQuerySet):
                return queryset.over()
        return queryset


def note_running(sessions: list[Session]) -> None:
    """As `session.running`. One round trip for all of them."""
    if not sessions:
        return
    operations = state.operations_now(sorted({session.owner for session in sessions}))
    for session in sessions:
        found = [each for each in operations[session.owner] if each.session == session.operations_name]
        session.running = found  # type: ignore[attr-defined]


@admin.register(Session)
class SessionAdmin(Noted, WholeWords, ReadOnly, AboutPeople):
    """History, so read-only; but a live one can be ended."""

    list_display = (
        "label", "user", "client", "protocol", "ip", "is_live", "opened_at", "last_activity_at", "calls", "errors",
        "running",
    )  # fmt: skip
    list_filter = (IsLive, "transport", "last_activity_at")
    list_select_related = ("user",)
    search_fields = ("label", "user__username", "client_name", "ip")
    search_help_text = "A whole label, user name, client name or address."
    goes_with_its_user = True
    actions = ("end", "end_and_revoke")
    # What routes, what clients say of themselves at any length, and what is between a client and its server.
    never_searched = ("public_id", "stream", "client_info", "capabilities", "server_requests", "subscriptions")
    fieldsets = (
        (None, {"fields": ("user", "label", "client", "is_live", "end_reason", "end_message")}),
        ("Activity", {"fields": ("opened_at", "last_activity_at", "expires_at", "ended_at")}),
        ("Calls", {"fields": ("calls", "errors", "mean_ms", "last_call_at", "running")}),
        ("Connection", {"fields": ("credential", "transport", "protocol", "ip", "user_agent")}),
        (
            "Handshake",
            {
                "description": "What the client can do and asked for. Only revisions before 2026 have this.",
                "fields": ("named_capabilities", "log_level", "subscribed_to", "open_questions"),
            },
        ),
    )

    def note(self, sessions: list[Session]) -> None:
        note_running(sessions)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Ending is what may be changed about a session."""
        return request.user.has_perm("sessions_app.change_session")

    def has_shut_out_permission(self, request: HttpRequest) -> bool:
        """Revoking is a change of the credential, whichever it is."""
        needed = [f"sessions_app.change_{model}" for model in ("session", *CREDENTIALS)]
        return request.user.has_perms(needed)

    @admin.display(description="client", ordering="client_name")
    def client(self, session: Session) -> str:
        return session.client or "—"

    @admin.display(description="protocol", ordering="protocol_version")
    def protocol(self, session: Session) -> str:
        if not session.protocol_version:
            return "—"
        if session.transport == WEBSOCKET:
            return f"{session.protocol_version} (WebSocket)"  # of either era it lasts as long as the socket
        return f"{session.protocol_version} ({'handshake' if session.is_durable else 'stateless'})"

    @admin.display(description="live", boolean=True)
    def is_live(self, session: Session) -> bool:
        return session.is_live

    @admin.display(description="running now")
    def running(self, session: Any) -> str:
        """By name: what it called that has not ended yet."""
        return ", ".join(visible(operation.name) for operation in session.running) or "—"

    @admin.display(description="mean time (ms)")
    def mean_ms(self, session: Session) -> str:
        return f"{session.total_ms / session.calls:.1f}" if session.calls else "—"

    @admin.display(description="client's capabilities")
    def named_capabilities(self, session: Session) -> str:
        """Their names alone; what is in them is between the client and the protocol."""
        names = sorted(json.loads(session.capabilities or "{}"))
        shown = [fitting(name, LONGEST_NAMED) for name in names[:MOST_NAMED]]
        return ", ".join([*shown, f"and {len(names) - MOST_NAMED} more"] if names[MOST_NAMED:] else shown) or "—"

    @admin.display(description="resources subscribed to")
    def subscribed_to(self, session: Session) -> int:
        return session.subscriptions.count()

    @admin.display(description="questions without an answer yet")
    def open_questions(self, session: Session) -> int:
        return session.server_requests.open().count()

    @admin.action(
        description="End this session",
        description_plural="End the selected sessions",
        permissions=["end"],
        location=[admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM],
    )
    @asks(ENDING)
    def end(self, request: HttpRequest, sessions: list[Session]) -> None:
        tell = typed_reason(request)
        ended = [session for session in sessions if session.end(reason_of(request), tell)]
        for session in ended:
            self.log_change(request, session, f"Ended. {typed_reason(request)}".strip())
        messages.success(request, f"Ended: {len(ended)}. Ended before: {len(sessions) - len(ended)}.")

    @admin.action(
        description="End this session and revoke its credential",
        description_plural="End the selected sessions and revoke their credentials",
        permissions=["shut_out"],
        location=[admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM],
    )
    @asks(SHUTTING_OUT)
    def end_and_revoke(self, request: HttpRequest, sessions: list[Session]) -> None:
        tell = typed_reason(request)
        taken = [session for session in sessions if session.end_and_revoke(reason_of(request), tell)]
        for session in sessions:
            what = "Ended, and its credential revoked." if session in taken else "Ended."
            self.log_change(request, session, f"{what} {typed_reason(request)}".strip())
        left = len(sessions) - len(taken)
        messages.success(
            request, f"Ended: {len(sessions)}. Credentials revoked: {len(taken)}; nothing to revoke: {left}."
        )
