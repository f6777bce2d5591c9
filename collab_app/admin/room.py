import logging
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from collab_app.export import FORMATS
from collab_app.models import Room
from collab_app.models.message import GONE
from collab_app.models.room_queryset import RoomQuerySet
from sessions_app.admin.asking import Question, asks
from sessions_app.admin.history import ReadOnly, link
from sessions_app.admin.people import AboutPeople
from sessions_app.admin.whole_words import WholeWords
from sessions_app.download import download
from sessions_app.models import User
from sessions_app.plain_text import visible

from .by_room import those_of
from .parts import Members, State

logger = logging.getLogger(__name__)


CLOSING = Question(
    title="Close rooms",
    says="Nobody gets in or writes any more; who is in is put out at once. What was said"
    " stays, for operators to export. It cannot be undone.",
    yes="Close",
)


class IsOpen(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("idle", "Open, and idle"), ("closed", "Closed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Room]) -> QuerySet[Room]:
        match self.value():
            case "open" if isinstance(queryset, RoomQuerySet):
                return queryset.open()
            case "idle" if isinstance(queryset, RoomQuerySet):
                return queryset.idle()
            case "closed" if isinstance(queryset, RoomQuerySet):
                return queryset.closed()
        return queryset


class WayIn(admin.SimpleListFilter):
    title = "way in"
    parameter_name = "by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("invitation", "By invitation"), ("id", "Whoever knows its id")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Room]) -> QuerySet[Room]:
        by = self.value()
        return queryset if by is None else queryset.filter(by_invitation=by == "invitation")


@admin.register(Room)
class RoomAdmin(WholeWords, ReadOnly, AboutPeople):
    """Its members' own, so nobody writes in it here; but it can be closed, and taken out as a file."""

    list_display = (
        "shown_name", "public_id", "by_invitation", "members", "said", "shown_creator", "active_at",
        "closed_at", "created_at",
    )  # fmt: skip
    list_filter = (IsOpen, WayIn)
    search_fields = ("public_id", "^name", "creator__username")
    search_help_text = "A whole id, how a name begins, or the creator's user name."
    actions = ("close",)
    inlines = (Members, State)
    fieldsets = (
        (None, {"fields": ("shown_name", "public_id", "by_invitation", "shown_creator")}),
        ("Contents", {"fields": ("all_messages", "all_members", "revision")}),
        ("Times", {"fields": ("created_at", "active_at", "closed_at")}),
    )

    def owner_id(self, obj: Any) -> int | None:
        """Of the room, who may be another than began it. None: of one that is closed."""
        owner_id: int | None = obj.owner_now
        return owner_id

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        rooms = super().get_queryset(request)
        assert isinstance(rooms, RoomQuerySet)  # noqa: S101 (the manager's)
        return rooms.overseen().select_related("creator")

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Closing is what may be changed about a room."""
        return request.user.has_perm("collab_app.change_room")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("collab_app.export_room")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        offered = {"formats": FORMATS, "has_export_permission": self.has_export_permission(request)}
        context = {**(extra_context or {}), **offered}
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page

    def get_urls(self) -> list[Any]:
        export = self.admin_site.admin_view(require_POST(self.export))
        return [path("<int:pk>/export/", export, name="collab_app_room_export"), *super().get_urls()]

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """All that there is now; noted before the first line leaves."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        chosen = FORMATS.get(request.POST.get("format", ""))
        if chosen is None:
            return HttpResponseBadRequest("There is no such format.", content_type="text/plain")
        room = get_object_or_404(Room, pk=pk)
        self.log_change(request, room, f"Exported as {chosen.name}, with {room.last_sequence} messages.")
        logger.info("%s exported room %s as %s", request.user.get_username(), room.public_id, chosen.name)
        return download(f"room-{room.public_id}", chosen.extension, chosen.content_type, chosen.text(room))

    @admin.display(description="name", ordering="name")
    def shown_name(self, room: Room) -> str:
        return visible(room.name)

    @admin.display(description="members", ordering="members_now")
    def members(self, room: Any) -> int:
        members: int = room.members_now
        return members

    @admin.display(description="messages", ordering="last_sequence")
    def said(self, room: Room) -> int:
        return room.last_sequence

    @admin.display(description="creator", ordering="creator__username")
    def shown_creator(self, room: Room) -> str:
        return GONE if room.creator is None else link(User, room.creator_id, visible(room.creator.get_username()))

    @admin.display(description="messages")
    def all_messages(self, room: Room) -> str:
        return format_html('<a href="{}">{}</a>', those_of(room, "message"), room.last_sequence)

    @admin.display(description="members")
    def all_members(self, room: Any) -> str:
        return format_html('<a href="{}">{} now</a>', those_of(room, "membership"), room.members_now)

    @admin.action(
        description="Close this room",
        description_plural="Close the selected rooms",
        permissions=["close"],
        location=[admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM],
    )
    @asks(CLOSING)
    def close(self, request: HttpRequest, rooms: list[Room]) -> None:
        closed = [room for room in rooms if room.close()]
        for room in closed:
            self.log_change(request, room, "Closed.")
        messages.success(request, f"Closed: {len(closed)}. Closed before: {len(rooms) - len(closed)}.")
