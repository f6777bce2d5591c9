"""Who may do what, as data: the groups that ship, and the rows that grant.

A capability (a tool, a resource, a prompt) has exactly one Django permission, and that alone
decides. The registry names the groups that get it when its row is first made; from then on the
row belongs to the operators, in the admin.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model

GUESTS = "Guests"
MEMBERS = "Members"
ADMINISTRATORS = "Administrators"
EVERYONE = (GUESTS, MEMBERS, ADMINISTRATORS)


def make_groups(**signal: Any) -> None:
    """After migrate: the groups that ship, if they are not there."""
    for name in EVERYONE:
        Group.objects.get_or_create(name=name)


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
