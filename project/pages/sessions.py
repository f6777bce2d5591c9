"""One's live sessions of MCP: which client, since when, how busy; and an end for each."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from sessions_app.credentials.browser import IDENTITY as BROWSER
from sessions_app.models import ApiKey, OutsideIdentity, Session, SessionToken, TokenFamily, User

from .asking import Question
from .signed_in import SESSIONS, MyView

MOST = 100
WORDS = {
    ApiKey.IDENTITY: "the key",
    SessionToken.IDENTITY: "the session token",
    TokenFamily.IDENTITY: "a sign-in of",
}
REVOKE = "revoke"


class SessionsView(MyView):
    section = SESSIONS

    def get(self, request: HttpRequest) -> HttpResponse:
        found = list(live(self.user).order_by("-last_activity_at", "-pk")[: MOST + 1])
        return self.page("sessions", rows=[row(session) for session in found[:MOST]], are_more=len(found) > MOST)


def live(user: User) -> QuerySet[Session]:
    return Session.objects.live().filter(user=user)


def row(session: Session) -> dict[str, Any]:
    return {
        "session": session,
        "client": client_of(session),
        "era": "with a handshake" if session.is_durable else "without a handshake",
        "with": with_what(session),
        "label": f"End the session of {client_of(session)}",
        "question": question(session),
    }


def client_of(session: Session) -> str:
    return session.client or "a client without a name"


def with_what(session: Session) -> str:
    """What it came with, in a word; its label is the key's name where it is a key."""
    return f"{WORDS.get(kind_of(session), 'signed in as')} {session.label}"


def kind_of(session: Session) -> str:
    return session.credential.partition(":")[0]


def question(session: Session) -> Question:
    return Question(
        f"End the session of {client_of(session)}?",
        f"Its streams and its calls under way end at once.{can_come_back(session)}",
        "End the session",
        "" if is_of_browser(session) else "End it and revoke",
    )


def can_come_back(session: Session) -> str:
    if is_of_browser(session):
        return ""
    if kind_of(session) == OutsideIdentity.IDENTITY:
        return (
            " It may begin anew, because it came with your identity at another server: revoke that as well to keep"
            " it out. You cannot link it again yourself then; whoever runs this server can."
        )
    return f" It may begin anew, because it came with {with_what(session)}: revoke that as well to keep it out."


def is_of_browser(session: Session) -> bool:
    """It came with a ticket of somebody who is signed in, and there is nothing to revoke."""
    return kind_of(session) == BROWSER


class EndView(MyView):
    section = SESSIONS

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.page("ask", question=question(self._mine(pk)), back=SESSIONS.name)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        session = self._mine(pk)
        if request.POST.get("also") == REVOKE:
            was_standing = session.end_and_revoke(self.reason)
            done = "Ended, and revoked" if was_standing else "Ended; there was nothing to revoke any more"
            said = f"{done}: {client_of(session)}, with {with_what(session)}."
        else:
            session.end(self.reason)
            said = f"Ended: {client_of(session)}."
        messages.success(request, said)
        return redirect(SESSIONS.name)

    def _mine(self, pk: int) -> Session:
        return get_object_or_404(live(self.user).select_related("user"), pk=pk)
