"""What every view of rooms has in common."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from collab_app import limits
from collab_app.exceptions import RoomNotFound, StateNotFound
from collab_app.models import Room
from collab_app.permissions import may_meet
from collab_app.room_view import here_in, members_of
from sessions_app.api.authentication import principal_of, user_of
from sessions_app.api.view import ApiView
from sessions_app.credentials.browser import IDENTITY

CLIENT = "REST API"
"""By what it was said, where it was not a page in a browser."""


class MayMeet(BasePermission):
    """To others there are no rooms."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not may_meet(principal_of(request)):
            raise NotFound
        return True


class RoomApiView(ApiView):
    permission_classes = (IsAuthenticated, MayMeet)

    def handle_exception(self, exc: Exception) -> Response:
        """One's own unknown room is answered as everything is that is not there."""
        return super().handle_exception(NotFound() if isinstance(exc, RoomNotFound | StateNotFound) else exc)

    def room(self, request: Request, id: str) -> Room:
        """Of which the caller is a member. Raises: RoomNotFound."""
        room = Room.objects.seen_by(principal_of(request).account, id)
        if request.method != "GET":
            room.attend(user_of(request), client_of(request))
        return room


def count(request: Request) -> None:
    """One post more. Raises: RateLimited."""
    limits.count_post(principal_of(request))


def client_of(request: Request) -> str:
    return "" if principal_of(request).credential == IDENTITY else CLIENT


def room_as_dict(room: Room) -> dict[str, Any]:
    return {
        "id": room.public_id,
        "name": room.name,
        "by_invitation": room.by_invitation,
        "created_at": room.created_at,
        "last_sequence": room.last_sequence,
        "members": members_of(room),
        "here": here_in(room),
    }
