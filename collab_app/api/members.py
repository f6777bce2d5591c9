from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from collab_app.models.membership import user_called
from collab_app.room_view import members_of
from sessions_app.api.authentication import user_of

from .serializers import MembersSerializer, WantedMemberSerializer
from .view import RoomApiView, count


class MembersView(RoomApiView):
    @extend_schema(request=WantedMemberSerializer, responses={201: MembersSerializer})
    def post(self, request: Request, id: str) -> Response:
        """Invite somebody to a room"""
        wanted = WantedMemberSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        count(request)
        room = self.room(request, id)
        room.invite(user_called(wanted.validated_data["username"]), user_of(request))
        return Response({"results": members_of(room)}, status=201)


class MemberView(RoomApiView):
    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, id: str, username: str) -> Response:
        """Remove somebody from a room that you own"""
        count(request)
        room = self.room(request, id)
        room.remove(room.member_called(username), user_of(request))
        return Response(status=204)
