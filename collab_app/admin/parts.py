"""What a room's page shows below it: its members, and what they share."""

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest

from collab_app.models import Membership, SharedState
from sessions_app.admin.history import link
from sessions_app.admin.part import Part, moment
from sessions_app.admin.preference import as_json
from sessions_app.models import User
from sessions_app.plain_text import visible, visible_lines

LONGEST_SHOWN = 1000
"""Characters of a value; the export has all of it."""


class Members(Part):
    """Who has a place in the room first, then who left it lately."""

    model = Membership
    verbose_name_plural = "members"
    fields = readonly_fields = ("user_", "status", "joined", "left", "last_read", "was_removed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        found: QuerySet[Membership] = super().get_queryset(request)
        placed_first = F("left_at").desc(nulls_first=True)
        in_order = (placed_first, F("joined_at").asc(nulls_last=True), "pk")
        return found.select_related("user", "room").order_by(*in_order)

    @admin.display(description="user")
    def user_(self, membership: Membership) -> str:
        """To the membership, where he can be removed."""
        return link(Membership, membership.pk, visible(membership.user.get_username()))

    @admin.display(description="status")
    def status(self, membership: Membership) -> str:
        return membership.status

    @admin.display(description="joined")
    def joined(self, membership: Membership) -> str:
        return moment(membership.joined_at)

    @admin.display(description="left")
    def left(self, membership: Membership) -> str:
        return moment(membership.left_at)


class State(Part):
    model = SharedState
    verbose_name_plural = "shared state"
    fields = readonly_fields = ("shown_key", "shown_value", "version", "changed_by_", "changed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SharedState]:
        found: QuerySet[SharedState] = super().get_queryset(request)
        return found.select_related("changed_by", "room").order_by("key")

    @admin.display(description="key")
    def shown_key(self, state: SharedState) -> str:
        return visible(state.key)

    @admin.display(description="value")
    def shown_value(self, state: SharedState) -> str:
        text = as_json(state.value, indent=2)
        more = "…" if len(text) > LONGEST_SHOWN else ""
        return "\n".join(visible_lines(text[:LONGEST_SHOWN])) + more

    @admin.display(description="changed by")
    def changed_by_(self, state: SharedState) -> str:
        return link(User, state.changed_by_id, visible(state.changer_name))

    @admin.display(description="changed")
    def changed(self, state: SharedState) -> str:
        return moment(state.changed_at)
