"""What all pages below `/me/` have in common: they are of whoever is signed in, and of nobody else."""

from typing import Any, ClassVar, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from collab_app.views import MeetingView
from sessions_app.admission import refuse
from sessions_app.exceptions import RateLimited
from sessions_app.limits import API, Bucket
from sessions_app.state import state


class Section(NamedTuple):
    name: str
    """Its URL's."""
    title: str


CONNECT, KEYS = Section("me", "Connect"), Section("my-keys", "Keys and tokens")
SESSIONS, ROOMS = Section("my-sessions", "Sessions"), Section("my-rooms", "Rooms")
PREFERENCES, USAGE = Section("my-preferences", "Preferences"), Section("my-usage", "Usage")
ACCOUNT = Section("my-account", "Account")
SECTIONS = (CONNECT, KEYS, SESSIONS, ROOMS, USAGE, PREFERENCES, ACCOUNT)


@method_decorator(never_cache, name="dispatch")  # of what is refused here, too
class MyView(MeetingView):
    section: ClassVar[Section]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """What is changed here counts as what is changed over REST does."""
        if request.method == "POST" and request.user.is_authenticated:
            try:
                refuse(state.take([Bucket(API, self.principal.owner)]))
            except RateLimited as refusal:
                return self.refused(refusal)
        return super().dispatch(request, *args, **kwargs)

    def page(self, template: str, status: int = 200, **context: Any) -> HttpResponse:
        everywhere = {"section": self.section, "sections": SECTIONS, "zone": str(timezone.get_current_timezone())}
        return render(self.request, f"pages/{template}.html", {**everywhere, **context}, status=status)

    def refused(self, refusal: RateLimited) -> HttpResponse:
        response = self.page("too_often", refusal.status, refusal=refusal)
        for name, value in refusal.headers:
            response[name.decode()] = value.decode()
        return response

    @property
    def reason(self) -> str:
        """Of what is ended here, for operators to read."""
        return f"by {self.user.get_username()}"
