from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from collab_app.exceptions import RoomRefused
from collab_app.models import Membership, Room
from collab_app.models.membership import MembershipQuerySet
from sessions_app.admin.asking import Question, asks
from sessions_app.admin.history import ReadOnly, link
from sessions_app.admin.people import AboutPeople
from sessions_app.admin.whole_words import WholeWords
from sessions_app.plain_text import visible

from .by_room import ByRoom

REMOVING = Question(
    title="Remove members",
    says="They see nothing of the room any more, at once, and come back only when invited. What they said stays."
    " A room in which nobody is left is closed for good.",
    yes="Remove",
)


class ByStatus(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("present", "In the room"), ("invited", "Invited"), ("removed", "Removed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> QuerySet[Membership]:
        match self.value():
            case "present" if isinstance(queryset, MembershipQuerySet):
                return queryset.present()
            case "invited" if isinstance(queryset, MembershipQuerySet):
                return queryset.invited()
            case "removed":
                return queryset.filter(was_removed=True)
        return queryset


@admin.register(Membership)
class MembershipAdmin(WholeWords, ReadOnly, AboutPeople):
    """Who is, and was, in which room. Who is in may be removed, and comes back only when he is invited."""

    list_display = ("shown_user", "shown_room", "status", "invited_at", "joined_at", "left_at", "last_read")
    list_filter = (ByStatus, ByRoom)
    list_select_related = ("user", "room")
    search_fields = ("user__username", "room__public_id")
    search_help_text = "A whole username, or the whole id of a room."
    ordering = ("-pk",)
    goes_with_its_user = True
    actions = ("remove",)
    fieldsets = (
        (None, {"fields": ("user", "shown_room", "status", "last_read", "was_removed")}),
        ("Times", {"fields": ("invited_at", "invited_by", "joined_at", "left_at")}),
    )

    def has_remove_permission(self, request: HttpRequest) -> bool:
        """Removing is what may be changed about a membership."""
        return request.user.has_perm("collab_app.change_membership")

    @admin.display(description="user", ordering="user__username")
    def shown_user(self, membership: Membership) -> str:
        return visible(membership.user.get_username())

    @admin.display(description="room", ordering="room__name")
    def shown_room(self, membership: Membership) -> str:
        return link(Room, membership.room_id, str(membership.room))

    @admin.display(description="status")
    def status(self, membership: Membership) -> str:
        return membership.status

    @admin.action(
        description="Remove this member from the room",
        description_plural="Remove the selected members from their rooms",
        permissions=["remove"],
        location=[admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM],
    )
    @asks(REMOVING)
    def remove(self, request: HttpRequest, memberships: list[Membership]) -> None:
        removed = [membership for membership in memberships if put_out(membership)]
        for membership in removed:
            self.log_change(request, membership, "Removed from the room.")
            self.log_change(request, membership.room, f"Removed {visible(membership.user.get_username())}.")
        closed = sum(not membership.room.is_open for membership in removed)
        messages.success(
            request,
            f"Removed: {len(removed)}. Not in the room any more: {len(memberships) - len(removed)}."
            + (f" Rooms that are closed, because nobody is left: {closed}." if closed else ""),
        )


def put_out(membership: Membership) -> bool:
    """False if he was neither in the room nor invited, or it is closed."""
    try:
        membership.room.put_out(membership.user)
    except RoomRefused:
        return False
    return True
