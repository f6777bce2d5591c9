"""When what callers may do changes, every process reads anew who they are, and tells those concerned."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session as SignIn
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.utils import timezone

from . import authority
from .models import ApiKey, OutsideIdentity, RevokedToken, SessionToken, TokenFamily, User


def groups_changed(action: str, **signal: Any) -> None:
    """What a group may do, and so what anybody might."""
    if action in ("post_add", "post_remove", "post_clear"):
        authority.changed()


def memberships_changed(action: str, instance: Any, pk_set: set[int] | None, **signal: Any) -> None:
    """Of a user, or from the other side: of a group or a permission that gained or lost users."""
    if action not in ("post_add", "post_remove", "post_clear"):
        return
    if isinstance(instance, User):
        authority.changed(instance.pk)
    elif pk_set is not None:
        authority.changed(*pk_set)
    else:
        authority.changed()


def user_saved(instance: User, update_fields: frozenset[str] | None, **signal: Any) -> None:
    if update_fields != frozenset({"last_login"}):
        authority.changed(instance.pk)


def user_deleted(instance: User, **signal: Any) -> None:
    authority.changed(instance.pk)


def credential_changed(instance: Any, **signal: Any) -> None:
    authority.changed(instance.user_id)


def signed_out(instance: SignIn, **signal: Any) -> None:
    """A cookie is worth nothing any more, nor what a page opened with a ticket that it asked for.

    Django's own signal is sent before that is so. Of one that is past the clock has told everybody, and a cleanup
    deletes thousands.
    """
    if instance.expire_date > timezone.now() and (user := instance.get_decoded().get(SESSION_KEY)):
        authority.changed(int(user))


def anybody_changed(**signal: Any) -> None:
    authority.changed()


m2m_changed.connect(groups_changed, sender=Group.permissions.through)
for shared in (Group, Permission, OutsideIdentity, RevokedToken):
    post_save.connect(anybody_changed, sender=shared)
    post_delete.connect(anybody_changed, sender=shared)
for through in (User.groups.through, User.user_permissions.through):
    m2m_changed.connect(memberships_changed, sender=through)
post_save.connect(user_saved, sender=User)
post_delete.connect(user_deleted, sender=User)
post_delete.connect(signed_out, sender=SignIn)
for credential in (ApiKey, SessionToken, TokenFamily):
    post_save.connect(credential_changed, sender=credential)
    post_delete.connect(credential_changed, sender=credential)
