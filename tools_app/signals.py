"""When what callers may do changes, clients who listen are told to list again."""

from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ToolsListChanged

from sessions_app.models import User
from sessions_app.transport.bus import bus


def lists_changed(action: str, **signal: Any) -> None:
    if action in ("post_add", "post_remove", "post_clear"):
        transaction.on_commit(publish)


def publish() -> None:
    for event in (ToolsListChanged(), ResourcesListChanged(), PromptsListChanged()):
        bus.publish_soon(event)


for through in (Group.permissions.through, User.groups.through, User.user_permissions.through):
    m2m_changed.connect(lists_changed, sender=through)
