"""The one ORM read that both sides' tools make: a row by its primary key."""

from functools import cache

from django.contrib.auth import get_user_model

USERNAME = "bench"


def read_username(pk: int) -> str:
    return get_user_model().objects.get(pk=pk).get_username()


@cache
def bench_user_pk() -> int:
    """For the SDK's side, whose tokens know no users."""
    return get_user_model().objects.get_by_natural_key(USERNAME).pk
