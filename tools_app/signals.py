"""What operators decide about a tool counts from the next call on, in every process."""

from typing import Any

from django.db.models.signals import post_delete, post_save

from sessions_app import authority

from .models import ToolPolicy


def policy_changed(**signal: Any) -> None:
    authority.changed()


post_save.connect(policy_changed, sender=ToolPolicy)
post_delete.connect(policy_changed, sender=ToolPolicy)
