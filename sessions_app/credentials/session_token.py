"""Session tokens: what a person's client gets for a name and a password, and works with until it is left idle."""

from collections.abc import Collection, Iterable

from sessions_app.models import SessionToken
from sessions_app.pool import background_pool
from sessions_app.principal import Principal

from . import opaque

IDENTITY = SessionToken.IDENTITY


def current(ids: Collection[str]) -> list[Principal]:
    """What those of these tokens that are still valid may do now. `ids` are what follows `session-token:`.

    Who holds a stream open is there, though nothing is sent: that is noted as use.
    """
    held = SessionToken.still_valid([int(pk) for pk in ids])
    due = [token for token in held if token.is_due_to_note_use()]
    if due:
        background_pool.later(lambda: note_use(due))
    return SessionToken.principals(held)


def last_words(ids: Collection[str]) -> dict[str, str]:
    """What the holders of revoked ones are told, by what follows `session-token:`."""
    return {str(pk): message for pk, message in SessionToken.messages([int(pk) for pk in ids]).items()}


def note_use(tokens: Iterable[SessionToken]) -> None:
    for token in tokens:
        token.note_use()


def authenticate(secret: str, address: str | None) -> Principal | None:
    return opaque.authenticate(SessionToken, secret, address)
