"""The rooms that one is in. What happens in them is on their own pages."""

from django.http import HttpRequest, HttpResponse

from collab_app.permissions import may_meet
from collab_app.rooms_of import PAGE, invitations_of, rooms_of

from .signed_in import ROOMS, MyView


class RoomsView(MyView):
    section = ROOMS

    def get(self, request: HttpRequest) -> HttpResponse:
        if not may_meet(self.principal):
            return self.page("rooms", may_meet=False)
        rooms = rooms_of(self.user.pk)
        invitations = invitations_of(self.user.pk)
        return self.page(
            "rooms", may_meet=True, rooms=rooms[:PAGE], are_more=len(rooms) > PAGE, invitations=len(invitations)
        )
