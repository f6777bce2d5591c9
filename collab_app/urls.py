"""What is below `/api/rooms/`."""

from django.urls import path

from sessions_app import converters  # noqa: F401 (registers `anything`)

from . import converters as own_converters  # noqa: F401 (registers `room`)
from .api import export, members, messages, rooms, state

urlpatterns = [
    path("rooms/", rooms.RoomsView.as_view()),
    path("room-invitations/", rooms.InvitationsView.as_view()),
    path("rooms/<room:id>/", rooms.RoomView.as_view()),
    path("rooms/<room:id>/join/", rooms.JoinView.as_view()),
    path("rooms/<room:id>/leave/", rooms.LeaveView.as_view()),
    path("rooms/<room:id>/export/", export.ExportView.as_view()),
    path("rooms/<room:id>/messages/", messages.MessagesView.as_view()),
    path("rooms/<room:id>/members/", members.MembersView.as_view()),
    path("rooms/<room:id>/members/<anything:username>/", members.MemberView.as_view()),
    path("rooms/<room:id>/state/", state.StatesView.as_view()),
    path("rooms/<room:id>/state/<anything:key>/", state.StateView.as_view()),
]
