from collections.abc import Iterator

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from collab_app.export import FORMATS
from collab_app.models import Room
from sessions_app.api.authentication import principal_of
from sessions_app.download import download

from .view import RoomApiView

FORMAT = OpenApiParameter("format", str, enum=list(FORMATS), default="jsonl")


def while_in(room: Room, request: Request, pieces: Iterator[str]) -> Iterator[str]:
    """Until he is out of it: what is said later is not for him. A file that was cut off ends early."""
    user = principal_of(request).account
    for piece in pieces:
        if not Room.objects.of(user).filter(pk=room.pk).exists():
            return
        yield piece


class ExportView(RoomApiView):
    queries = frozenset({"format"})

    @extend_schema(
        parameters=[FORMAT],
        responses={200: OpenApiResponse(OpenApiTypes.BINARY, description="JSON lines, or Markdown.")},
    )
    def get(self, request: Request, id: str) -> StreamingHttpResponse:
        """All of a room as a file: its members, its shared state, and what was said"""
        chosen = FORMATS.get(request.query_params.get("format", "jsonl"))
        if chosen is None:
            raise ValidationError({"format": [f"One of: {', '.join(FORMATS)}."]})
        room = self.room(request, id)
        return download(
            f"room-{room.public_id}",
            chosen.extension,
            chosen.content_type,
            while_in(room, request, chosen.text(room)),
        )
