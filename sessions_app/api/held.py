"""What a request came with, held still while something is made with it."""

from typing import Any

from django.db.models import QuerySet

from sessions_app.exceptions import Unauthenticated
from sessions_app.models import OutsideIdentity, User
from sessions_app.models.credential import Credential


def hold_still(user: User, held: Credential | OutsideIdentity | None) -> None:
    """Nobody takes away what a key is made with until it is made: a leak that was stopped stays stopped.

    In a transaction. Raises: Unauthenticated.
    """
    rows: list[QuerySet[Any]] = [User.objects.filter(pk=user.pk, is_active=True)]
    if isinstance(held, Credential):
        rows.append(type(held).objects.valid().filter(pk=held.pk))
    if not all(found.select_for_update(of=("self",)).first() for found in rows):
        raise Unauthenticated("taken back while it made a key")
