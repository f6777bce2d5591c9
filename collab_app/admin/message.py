import re
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from collab_app.models import Message, Room
from sessions_app.admin.history import ReadOnly, link
from sessions_app.admin.pages import PagesByPlace
from sessions_app.models import User
from sessions_app.plain_text import visible, visible_lines

from .by_room import ByRoom

PLACE = re.compile(r"[0-9]{1,18}")
LONGEST_SHOWN = 100


class Pages(PagesByPlace):
    newest_first = ("-pk",)

    def place_of(self, row: Message) -> str:
        return str(row.pk)

    def after(self, place: str) -> QuerySet[Message] | None:
        return self.queryset.filter(pk__lt=int(place)) if PLACE.fullmatch(place) else None


@admin.register(Message)
class MessageAdmin(ReadOnly):
    """What was said, in all rooms: as it was said, and for good."""

    list_display = ("when", "shown_room", "sequence", "author_name", "shown_client", "beginning")
    list_filter = (ByRoom,)
    search_fields = ("text",)
    search_help_text = "A part of the text, or the whole name of its author or id of its room."
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    fields = ("when", "shown_room", "sequence", "author_name", "shown_client", "whole_text")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        messages: QuerySet[Message] = super().get_queryset(request)
        return messages.select_related("author", "room").defer("idempotency_key")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By nothing else: not by keys that authors thought up, nor by what would read all the table."""
        return lookup == ByRoom.parameter_name

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        # Looked up first, so that the messages are read without a join.
        authors = list(User.objects.filter(username=text).values_list("pk", flat=True))
        rooms = list(Room.objects.filter(public_id=text).values_list("pk", flat=True))
        found = Q(text__icontains=text) | Q(author__in=authors) | Q(room__in=rooms)
        return queryset.filter(found), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Pages]:
        return Pages

    @admin.display(description="when")
    def when(self, message: Message) -> str:
        return f"{timezone.localtime(message.posted_at):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="room")
    def shown_room(self, message: Message) -> str:
        return link(Room, message.room_id, str(message.room))

    @admin.display(description="author")
    def author_name(self, message: Message) -> str:
        return link(User, message.author_id, visible(message.author_name))

    @admin.display(description="client")
    def shown_client(self, message: Message) -> str:
        return visible(message.client) or "—"

    @admin.display(description="text")
    def beginning(self, message: Message) -> str:
        more = "…" if len(message.text) > LONGEST_SHOWN else ""
        return visible(message.text[:LONGEST_SHOWN]) + more

    @admin.display(description="text")
    def whole_text(self, message: Message) -> str:
        return "\n".join(visible_lines(message.text))
