"""A room's id as a part of a path."""

from django.urls import register_converter
from django.urls.converters import StringConverter

from .models.room_queryset import PUBLIC_ID


class RoomId(StringConverter):
    regex = PUBLIC_ID.pattern


register_converter(RoomId, "room")
