"""What `admin-operations` may do to somebody, and to whom."""

from django.contrib.admin.models import LogEntry
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest

from sessions_app.models import Session, User
from sessions_app.permissions import granted_to, names_of
from sessions_app.plain_text import visible
from sessions_app.principal import Principal
from tools_app.exceptions import ToolError

PAGE = 50
GONE = "Your account may not do this any more."
LONGEST_ID = 18
"""Digits, so that any database takes it."""


def is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID


def named(user: User) -> str:
    return f"{visible(user.get_username())} (user {user.pk})"


def listed(after: int) -> list[User]:
    """The next ones and one more, by their ids, with `last_seen` and their groups."""
    latest = Session.objects.filter(user=OuterRef("pk")).order_by("-last_activity_at")
    # Who never signed in and never called was seen when he was made, at the latest.
    called = Coalesce(Subquery(latest.values("last_activity_at")[:1]), "date_joined")
    seen = Greatest(Coalesce("last_login", "date_joined"), called)
    users = User.objects.filter(pk__gt=after).annotate(last_seen=seen).prefetch_related("groups")
    return list(users.order_by("pk")[: PAGE + 1])


def found(target: str) -> User:
    """Raises: ToolError."""
    user = User.objects.filter(pk=target).first() if is_id(target) else None
    if user is None:
        raise ToolError(f"User {visible(target)} not found. list-users lists the ids.")
    return user


def acting(principal: Principal) -> User:
    """The caller. Raises: ToolError if he was deleted meanwhile."""
    actor = User.objects.filter(pk=principal.user_id).first()
    if actor is None:
        raise ToolError(GONE)
    return actor


def check_reach(principal: Principal, actor: User, user: User) -> None:
    """Raises: ToolError if `user` has a privilege that the caller lacks, his credential considered."""
    is_within = actor.may_act_on(user)
    if is_within and principal.is_narrowed:
        has = names_of(granted_to(user).values_list("content_type__app_label", "codename"))
        is_within = not user.is_superuser and has <= principal.permissions
    if not is_within:
        raise ToolError(f"{named(user)} has privileges that you lack, so you may not do that to him.")


def check_deletable(principal: Principal, user: User) -> None:
    """Raises: ToolError."""
    if user.pk == principal.account:
        raise ToolError("Cannot delete your own account")
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and user.is_active and not others.exists():
        raise ToolError(f"{named(user)} is the last active superuser.")
    if LogEntry.objects.filter(user=user).exists():
        raise ToolError(
            f"{named(user)} has acted in the admin, and that history would go with the account."
            " Deactivate it in the admin instead."
        )


def locked(principal: Principal, target: str, permission: str) -> User:
    """The target as it is now, and so until the transaction ends; and so is the caller.

    Locked in one order, so that of two who act on each other one comes first, and the other is no more.
    Raises: ToolError if the caller is gone, or may not do this any more.
    """
    wanted = Q(pk=principal.account) | Q(pk=found(target).pk) | Q(is_superuser=True, is_active=True)
    # Not a stronger lock: who says something in a room holds that, and refers to his own row.
    rows = {user.pk: user for user in User.objects.select_for_update(no_key=True).filter(wanted).order_by("pk")}
    actor, user = rows.get(principal.user_id), rows.get(int(target))
    if actor is None or permission not in actor.permission_names():
        raise ToolError(GONE)
    if user is None:
        raise ToolError(f"User {target} not found. list-users lists the ids.")
    check_reach(principal, actor, user)
    return user
