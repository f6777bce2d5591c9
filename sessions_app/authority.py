"""Saying that somebody's authority changed: what he is, may do or is let in with."""

from collections.abc import Collection
from functools import partial

from django.db import transaction

from .state import state
from .transport.bus import bus
from .transport.events import AuthorityChanged

MOST_NAMED = 100
"""Users whose epochs are changed one by one; for more, everybody's is."""


def changed(*users: int | None) -> None:
    """Of these users (None: of guests), or of everybody if none is named, once the transaction is committed.

    When the commit returns, the next call is judged by what is now in the database, wherever it arrives.
    """
    transaction.on_commit(partial(tell, users))


def tell(users: Collection[int | None]) -> None:
    named = users if len(users) <= MOST_NAMED else ()
    state.change(*("guest" if user is None else f"user:{user}" for user in named))
    bus.publish(AuthorityChanged())
