"""Whose account is deleted leaves his rooms first: others own them then, or they are closed."""

from contextlib import suppress
from typing import Any

from django.db import transaction
from django.db.models.signals import pre_delete

from sessions_app.models import User

from .exceptions import RoomNotFound
from .models import Room


@transaction.atomic
def leave_all(instance: User, **signal: Any) -> None:
    # First himself, then the rooms, in the order in which whoever joins one takes them.
    User.objects.select_for_update(no_key=True).filter(pk=instance.pk).first()
    for room in Room.objects.of(instance.pk).order_by("pk"):
        with suppress(RoomNotFound):  # it was closed meanwhile, or he was removed
            room.leave(instance)


pre_delete.connect(leave_all, sender=User)
