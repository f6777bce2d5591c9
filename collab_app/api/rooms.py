from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from collab_app.models import Room
from collab_app.rooms_of import counted, invitations_of
from sessions_app.api.authentication import principal_of, user_of
from sessions_app.api.view import PAGED

from .serializers import InvitationsSerializer, ListedRoomSerializer, RoomSerializer, WantedRoomSerializer
from .view import RoomApiView, client_of, count, room_as_dict


@extend_schema_view(get=extend_schema(summary="The rooms that you are in"))
class RoomsView(RoomApiView, ListAPIView):  # type: ignore[type-arg]  # generic in the stubs only
    queries = PAGED
    serializer_class = ListedRoomSerializer
    queryset = Room.objects.none()
    paged_by = ("public_id",)

    def get_queryset(self) -> QuerySet[Room]:
        mine: Any = principal_of(self.request).user_id
        return counted(Room.objects.of(mine), mine)

    @extend_schema(operation_id="rooms_create", request=WantedRoomSerializer, responses={201: RoomSerializer})
    def post(self, request: Request) -> Response:
        """Make a room

        You are its owner. An id that an open room has already is refused (409).
        """
        wanted = WantedRoomSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        count(request)
        chosen = wanted.validated_data
        room = Room.objects.start(
            user_of(request), chosen["name"], chosen.get("id", ""), by_invitation=chosen["by_invitation"]
        )
        room.attend(user_of(request), client_of(request))
        return Response(room_as_dict(room), status=201)


class InvitationsView(RoomApiView):
    @extend_schema(responses=InvitationsSerializer)
    def get(self, request: Request) -> Response:
        """The rooms that you may join, because somebody invited you: fifty at most"""
        return Response({"results": invitations_of(principal_of(request).user_id)})


class RoomView(RoomApiView):
    @extend_schema(operation_id="rooms_retrieve_one", responses=RoomSerializer)
    def get(self, request: Request, id: str) -> Response:
        """One room: its members, and who is here"""
        return Response(room_as_dict(self.room(request, id)))


class JoinView(RoomApiView):
    @extend_schema(request=None, responses=RoomSerializer)
    def post(self, request: Request, id: str) -> Response:
        """Join a room that is open, or that you are invited to"""
        count(request)
        room = Room.objects.open_by_id(id)
        room.join(user_of(request))
        room.attend(user_of(request), client_of(request))
        return Response(room_as_dict(room))


class LeaveView(RoomApiView):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, id: str) -> Response:
        """Leave a room, or decline an invitation

        The last who leaves closes it.
        """
        Room.objects.known_to(principal_of(request).account, id).leave(user_of(request))
        return Response(status=204)
