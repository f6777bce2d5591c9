"""Rooms in a browser: the page of one's rooms, and each room live. What happens in one comes over its socket."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from sessions_app.credentials import browser
from sessions_app.exceptions import Refused
from sessions_app.models import User
from sessions_app.principal import Principal

from . import converters  # noqa: F401 (registers `room`)
from .exceptions import RoomNotFound
from .forms import CreateForm, DeclineForm, JoinForm, RoomForm
from .limits import count_post
from .models import Room
from .models.room_queryset import PUBLIC_ID
from .permissions import may_meet
from .rooms_of import PAGE, invitations_of, rooms_of


@method_decorator(never_cache, name="dispatch")
class MeetingView(LoginRequiredMixin, View):
    """For who is signed in."""

    user: User
    principal: Principal

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        if isinstance(request.user, User):
            self.user = request.user
            self.principal = browser.principal(request.user, request.session.session_key or "")


@method_decorator(never_cache, name="dispatch")
class RoomsView(MeetingView):
    """One's rooms and invitations, and a form for each way into another."""

    forms: dict[str, type[RoomForm]] = {form.do: form for form in (CreateForm, JoinForm, DeclineForm)}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not may_meet(self.principal):
            return render(request, "collab_app/denied.html", status=403)
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show()

    def post(self, request: HttpRequest) -> HttpResponse:
        do = request.POST.get("do", "")
        if do not in self.forms:
            return self._show(status=400)
        form = self.forms[do](request.POST)
        if form.is_valid():
            try:
                if do != DeclineForm.do:
                    count_post(self.principal)
                room = form.run(self.user)
            except Refused as refusal:
                form.refuse(refusal)
            else:
                return redirect("rooms") if do == "decline" else redirect("room", room.public_id)
        return self._show(do, form)

    def _show(self, do: str = "", form: RoomForm | None = None, status: int = 200) -> HttpResponse:
        after = self.request.GET.get("after", "")
        after = after if PUBLIC_ID.fullmatch(after) else ""
        rows = rooms_of(self.user.pk, after)
        context = {
            "rooms": rows[:PAGE],
            "after": after,
            "next": rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
            "invitations": invitations_of(self.user.pk),
            "create": form if do == "create" else CreateForm(),
            "join": form if do == "join" else JoinForm(),
            "declined": form if do == "decline" else None,
        }
        response = render(self.request, "collab_app/rooms.html", context, status=form.status if form else status)
        for name, value in form.refusal.headers if form and form.refusal else ():
            response[name.decode()] = value.decode()
        return response


class RoomView(MeetingView):
    """One room, for its members. To everybody else it is as an unknown one."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        try:
            if not may_meet(self.principal):
                raise RoomNotFound(public_id)
            room = Room.objects.seen_by(self.user.pk, public_id)
        except RoomNotFound as refusal:
            return render(request, "collab_app/not_found.html", status=refusal.status)
        return render(request, "collab_app/room.html", {"room": room})


urlpatterns = [
    path("rooms/", RoomsView.as_view(), name="rooms"),
    path("rooms/<room:public_id>/", RoomView.as_view(), name="room"),
]
