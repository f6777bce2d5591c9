"""When what callers may do changes, every process reads anew who they are, and tells those concerned."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from sessions_app.models import User
from sessions_app.transport.bus import AuthorityChanged, bus


def authority_changed(**signal: Any) -> None:
    transaction.on_commit(publish)


def publish() -> None:
    bus.publish(AuthorityChanged())


def user_saved(update_fields: frozenset[str] | None, **signal: Any) -> None:
    if update_fields != frozenset({"last_login"}):
        authority_changed()


def memberships_changed(action: str, **signal: Any) -> None:
    if action in ("post_add", "post_remove", "post_clear"):
        authority_changed()


for through in (Group.permissions.through, User.groups.through, User.user_permissions.through):
    m2m_changed.connect(memberships_changed, sender=through)
post_delete.connect(authority_changed, sender=Group)
post_save.connect(user_saved, sender=User)
