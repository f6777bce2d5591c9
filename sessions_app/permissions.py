"""Who may do what, as data: the groups that ship, and the rows that grant.

A capability (a tool, a resource, a prompt) has exactly one Django permission, and that alone
decides. The registry names the groups that get it when its row is first made; from then on the
row belongs to the operators, in the admin.
"""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, Q, QuerySet

if TYPE_CHECKING:
    from .models import User

GUESTS = "Guests"
MEMBERS = "Members"
ADMINISTRATORS = "Administrators"
EVERYONE = (GUESTS, MEMBERS, ADMINISTRATORS)
READ, ADMIN = "sessions_app.read", "sessions_app.admin"
WORDS = {READ: ("Can read", EVERYONE), ADMIN: ("Can administer", (ADMINISTRATORS,))}
"""The seed's two permissions, as rows like any other: what they are called, and who gets them."""


def make_groups(**signal: Any) -> None:
    """After migrate: the groups that ship, if they are not there."""
    for name in EVERYONE:
        Group.objects.get_or_create(name=name)


def make_words(**signal: Any) -> None:
    """After migrate: the rows of the seed's permissions."""
    from .models import User

    ContentType.objects.clear_cache()  # a flush gives the rows new ids
    for permission, (name, groups) in WORDS.items():
        make_permission(User, permission.partition(".")[2], name, groups)


def words_of(permissions: Collection[str]) -> list[str]:
    """`read`, `admin`: those of the seed's permissions that are among these."""
    return [permission.partition(".")[2] for permission in WORDS if permission in permissions]


def names_of(rows: Iterable[tuple[str, str]]) -> frozenset[str]:
    return only_one(frozenset(f"{app_label}.{codename}" for app_label, codename in rows))


@lru_cache(maxsize=1000)
def only_one(names: frozenset[str]) -> frozenset[str]:
    """The same set for all who may the same. Of ten thousand callers that are remembered, each would have 8 KB."""
    return names


def granted_to(user: "User") -> QuerySet[Permission]:
    """Their rows: his own and his groups', whether or not he is active; in no order.

    Not by joins to both, of which PostgreSQL would begin with everybody's groups.
    """
    own = user.user_permissions.order_by().values("pk")
    of_groups = Permission.objects.filter(group__user=user).order_by().values("pk")
    return Permission.objects.filter(Q(pk__in=own) | Q(pk__in=of_groups)).order_by()


@transaction.atomic
def make_permission(about: type[Model], codename: str, name: str, groups: Iterable[str]) -> None:
    """The row for one capability. Groups get it only when it is new: what operators change is theirs."""
    permission, is_new = Permission.objects.get_or_create(
        content_type=ContentType.objects.get_for_model(about),
        codename=codename,
        defaults={"name": name[:255]},
    )
    if is_new:
        for group in groups:
            Group.objects.get_or_create(name=group)[0].permissions.add(permission)
