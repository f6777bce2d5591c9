"""Guests: callers without a credential, at a path of their own. Who presents one is never taken for a guest."""

from collections.abc import Collection, Mapping
from functools import partial

from django.contrib.auth.models import Permission

from sessions_app.addresses import network_of
from sessions_app.callers import Presented
from sessions_app.exceptions import Refused
from sessions_app.limits import GUEST, Bucket
from sessions_app.permissions import GUESTS, names_of
from sessions_app.pool import identity_pool
from sessions_app.principal import Principal

IDENTITY = "guest"
USERNAME = "Guest User"


def presented(headers: Mapping[str, str], address: str | None) -> Presented:
    """Nothing but an address. Raises: Refused (400) for a credential."""
    from . import CREDENTIAL_HEADERS

    if any(name in headers for name in CREDENTIAL_HEADERS):
        raise Refused("Guests present no credential; whoever has one uses /mcp.")
    network = network_of(address)
    return Presented(f"{IDENTITY}:{network}".encode(), partial(identified, network), network)


async def identified(network: str) -> Principal:
    return await identity_pool.run(lambda: principal(network))


def principal(network: str, permissions: frozenset[str] | None = None) -> Principal:
    """May what the group Guests may, and is counted by his address."""
    return Principal(
        account=None,
        username=USERNAME,
        credential=f"{IDENTITY}:{network}",
        label=USERNAME,
        permissions=granted() if permissions is None else permissions,
        buckets=(Bucket(GUEST, f"{IDENTITY}:{network}"),),
    )


def current(ids: Collection[str]) -> list[Principal]:
    """Guests from these addresses, whose streams are open. `ids` are what follows `guest:`."""
    permissions = granted()
    return [principal(network, permissions) for network in ids]


def granted() -> frozenset[str]:
    of_group = Permission.objects.filter(group__name=GUESTS).order_by()
    return names_of(of_group.values_list("content_type__app_label", "codename"))
