"""A user as whom a command or a test of ours calls. There is no secret to show.

So nothing that comes over a wire is ever taken for one: only code of ours makes what `presented` returns.
"""

from collections.abc import Collection
from functools import partial

from sessions_app.callers import Presented
from sessions_app.exceptions import Unauthenticated
from sessions_app.limits import CALLS, Bucket
from sessions_app.models import User
from sessions_app.pool import identity_pool
from sessions_app.principal import Principal

IDENTITY = "command"


class NoSuchUser(Unauthenticated):
    """Said plainly: whoever is within may know why."""

    def __init__(self, account: int) -> None:
        super().__init__(f"a command's user {account} is unknown or inactive")
        self.message = f"No committed row has an active user with the primary key {account}."


def presented(account: int) -> Presented:
    """Nothing but whose primary key it is. Other kinds are remembered by 32 bytes, or by another word."""
    name = f"{IDENTITY}:{account}"
    return Presented(name.encode(), partial(identified, account), name)


async def identified(account: int) -> Principal:
    """Raises: NoSuchUser."""
    found = await identity_pool.run(lambda: current([str(account)]))
    if not found:
        raise NoSuchUser(account)
    return found[0]


def principal(user: User) -> Principal:
    """May all that its user may, and counts as any of his."""
    return Principal(
        account=user.pk,
        username=user.get_username(),
        credential=f"{IDENTITY}:{user.pk}",
        label=user.get_username(),
        permissions=user.permission_names(),
        buckets=(Bucket(CALLS, f"user:{user.pk}"),),
    )


def current(ids: Collection[str]) -> list[Principal]:
    """Of those who are still active. `ids` are what follows `command:`. Few are ever asked for at once."""
    return [principal(user) for user in User.objects.filter(pk__in=ids, is_active=True)]
