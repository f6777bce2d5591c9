"""Connecting a client: a key of its own, the lines to paste, and word of its first visit."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect

from sessions_app.connect import PLACEHOLDER, lines_with
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import ApiKey, Session
from sessions_app.plain_text import visible

from .connect_form import ConnectForm
from .signed_in import CONNECT, MyView

MOST_CLIENTS = 5


class ConnectView(MyView):
    section = CONNECT

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(ConnectForm(self.principal))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ConnectForm(self.principal, request.POST)
        try:
            made = form.make(self.user) if form.is_valid() else None
        except Unauthenticated:
            return redirect(settings.LOGIN_URL)
        if made is None:
            return self._show(form, status=400)
        key, token = made
        # The one page that ever shows the secret. It is the answer itself, so the secret is stored nowhere.
        return self.page(
            "connected",
            key=key,
            secret=token.value,
            lines=lines_with(token.value, settings.CONFIG.origin),
            picked=form.cleaned_data["client"],
        )

    def _show(self, form: ConnectForm, status: int = 200) -> HttpResponse:
        origin = settings.CONFIG.origin
        lines = lines_with(PLACEHOLDER, origin)
        return self.page("connect", status, form=form, endpoint=f"{origin}/mcp", lines=lines)


class ConnectionView(MyView):
    """Which clients have come with a key of one's own."""

    section = CONNECT

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        key = get_object_or_404(ApiKey, pk=pk, user=self.user)
        sessions = Session.objects.filter(user=self.user, credential=key.credential).order_by("-last_activity_at")
        return JsonResponse({"clients": [named(session) for session in sessions[:MOST_CLIENTS]]})


def named(session: Session) -> dict[str, Any]:
    """As the client calls itself."""
    return {"name": visible(session.client_name), "version": visible(session.client_version)}
