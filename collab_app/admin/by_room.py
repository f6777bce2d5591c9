from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from collab_app.models import Room


class ByRoom(admin.SimpleListFilter):
    """The one that the address names: there are too many to choose from. What is no room's finds nothing."""

    title = "room"
    parameter_name = "room__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        room = Room.objects.filter(pk=self.pk).first()
        return [] if room is None else [(str(room.pk), str(room))]

    def has_output(self) -> bool:
        return self.value() is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset if self.value() is None else queryset.filter(room=self.pk)

    @property
    def pk(self) -> int:
        text = self.value() or ""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def those_of(room: Room, name: str) -> str:
    """The address of the list of this room's `name`s."""
    return f"{reverse(f'admin:collab_app_{name}_changelist')}?{ByRoom.parameter_name}={room.pk}"
