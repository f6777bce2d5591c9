"""Who is told of a change. What operators decide about a tool counts from the next call on, in every process."""

from functools import partial
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from sessions_app import authority
from sessions_app.models import Preference
from sessions_app.transport.bus import bus
from sessions_app.transport.events import OwnResourceUpdated

from .models import ToolPolicy

PREFERENCES = "concierge://me/preferences"


def preference_changed(instance: Preference, **signal: Any) -> None:
    for uri in (PREFERENCES, f"{PREFERENCES}/{quote(instance.key, safe='')}"):
        transaction.on_commit(partial(bus.publish, OwnResourceUpdated(uri, instance.user_id)))


def policy_changed(**signal: Any) -> None:
    authority.changed()


for happened in (post_save, post_delete):
    happened.connect(preference_changed, sender=Preference)
post_save.connect(policy_changed, sender=ToolPolicy)
post_delete.connect(policy_changed, sender=ToolPolicy)
