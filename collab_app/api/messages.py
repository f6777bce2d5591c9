from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.api.authentication import user_of
from sessions_app.api.paging import MOST, USUAL, limit_of

from .serializers import MessageSerializer, MessagesSerializer, WantedMessageSerializer
from .view import RoomApiView, client_of, count

IDEMPOTENCY_KEY = "Idempotency-Key"
"""draft-ietf-httpapi-idempotency-key-header"""
LONGEST = 18
"""Digits of a number, so that any database takes it."""

HISTORY = [
    OpenApiParameter("after", int, description="Those after this number; 0: from the first. Absent: the newest."),
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
]
KEY = OpenApiParameter(
    IDEMPOTENCY_KEY, str, OpenApiParameter.HEADER, description="Sent again with the same, it is said once."
)


class MessagesView(RoomApiView):
    queries = frozenset({"after", "limit"})

    @extend_schema(operation_id="rooms_messages_list", responses=MessagesSerializer, parameters=HISTORY)
    def get(self, request: Request, id: str) -> Response:
        """What was said in a room

        Whoever missed something reads on after the last number he has.
        """
        limit, room = limit_of(request), self.room(request, id)
        after = number_of(request, "after")
        said = room.messages.latest_ones(limit) if after is None else room.messages.after(after, limit)
        results = [message.as_dict() for message in said]
        return Response({"results": results, "has_more": bool(said) and said[-1].sequence < room.last_sequence})

    @extend_schema(
        operation_id="rooms_messages_create",
        request=WantedMessageSerializer,
        responses={201: MessageSerializer},
        parameters=[KEY],
    )
    def post(self, request: Request, id: str) -> Response:
        """Say something in a room"""
        wanted = WantedMessageSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        count(request)
        said = self.room(request, id).post(
            user_of(request), wanted.validated_data["text"], client=client_of(request), key=key_of(request)
        )
        return Response(said.as_dict(), status=201)


def key_of(request: Request) -> str:
    """With or without the quotes that the draft asks for."""
    key: str = request.headers.get(IDEMPOTENCY_KEY, "")
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key


def number_of(request: Request, name: str) -> Any:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > LONGEST:
        raise ValidationError({name: ["A whole number from 0 on."]})
    return int(text)
