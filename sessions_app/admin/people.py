"""What every admin page about a person's things shares: nobody acts on who has more than himself."""

from typing import Any

from django.contrib import messages
from django.db.models import ForeignKey, Model, QuerySet
from django.http import HttpRequest

from sessions_app.models import User
from sessions_app.unfolded import ModelAdmin

from .owner import OwnerField

MOST_AT_ONCE = 1000
"""Rows that are acted on: more are not on any page."""


class AboutPeople(ModelAdmin):
    """A staff user acts only on what belongs to people whose privileges he has himself."""

    never_searched: tuple[str, ...] = ()
    """Fields that nobody may read, so nobody may guess them either, by `?digest__startswith=`."""
    goes_with_its_user = False
    """Whether who may delete a user may delete this with him, though nobody may delete it alone."""

    def owner_id(self, obj: Any) -> int | None:
        """None: nobody's, as a guest's session is."""
        owner_id: int | None = obj.user_id
        return owner_id

    def may_act_on(self, request: HttpRequest, obj: Any) -> bool:
        if not isinstance(request.user, User):
            return False
        if request.user.is_superuser:
            return True
        owner_id = self.owner_id(obj)
        return owner_id is None or owner_id in ids_within_reach(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or self.may_act_on(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or self.may_act_on(request, obj))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup.split("__")[0] not in self.never_searched and super().lookup_allowed(lookup, value, request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if isinstance(db_field, ForeignKey) and db_field.related_model is User:
            return db_field.formfield(form_class=OwnerField, queryset=owner_choices(request), **kwargs)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def allowed(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Those of the selected rows that this user may act on; he is told of the rest."""
        selected = list(queryset[:MOST_AT_ONCE])
        allowed = [obj for obj in selected if self.may_act_on(request, obj)]
        if len(allowed) < len(selected):
            messages.error(
                request, f"Left alone: {len(selected) - len(allowed)} of users who may do more than you."
            )
        return allowed


def ids_within_reach(request: HttpRequest) -> frozenset[int]:
    """Read once a request: a page that asks to confirm a deletion asks for each of a thousand rows."""
    known: frozenset[int] | None = getattr(request, "ids_within_reach", None)
    if known is None:
        known = frozenset(reach_of(request).values_list("pk", flat=True))
        request.ids_within_reach = known  # type: ignore[attr-defined]
    return known


def reach_of(request: HttpRequest) -> QuerySet[User]:
    return request.user.within_reach() if isinstance(request.user, User) else User.objects.none()


def owner_choices(request: HttpRequest) -> QuerySet[User]:
    return reach_of(request).filter(is_active=True).order_by("username")


def is_saved(obj: Model | None) -> bool:
    return obj is not None and obj.pk is not None
