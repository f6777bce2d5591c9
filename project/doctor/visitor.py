"""A credential to call our own server with: one that may do nothing, for a minute, and is deleted afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sessions_app.models import ApiKey, Session, User

from .examination import Case
from .hurried import hurry

NAME = "manage.py doctor"
LIFETIME = timedelta(minutes=1)


@contextmanager
def visitor(case: Case) -> Iterator[str]:
    """The secret that was given along, or one of an operator's key without a single permission; or none ("").

    It is ours alone, so whoever runs the doctor needs no secret at hand, and nobody's key is shown to a URL that
    may be wrong. An operator is its owner for as long, because a key has one.
    """
    if case.key:
        yield case.key
        return
    owner = operator() if case.has("database") and case.has("migrations") else None
    if owner is None:
        yield ""
        return
    key, token = ApiKey.mint(owner, NAME, scopes=[], lifetime=LIFETIME)
    try:
        yield token.value
    finally:
        Session.objects.filter(user=owner, credential=key.credential).delete()
        key.delete()


def operator() -> User | None:
    hurry()
    return User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()


NO_KEY = "nothing more was said, for lack of a key (--key)"


def not_taken(case: Case, status: int) -> tuple[str, str]:
    """What it means that the credential is refused, and what mends it."""
    if case.key:
        return (
            f"The key that was given is refused ({status}).",
            "manage.py createkey USER --name doctor --expires 30m",
        )
    return (
        f"A key that was made just now is refused ({status}): the server there has another database than this"
        " command, or another SECRET_KEY.",
        "Give this command the server's environment (DATABASE_URL, SECRET_KEY, CONCIERGE_DATA_DIR)",
    )
