"""Who open streams belong to, looked up for all of them at once."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app import credentials
from sessions_app.models import ApiKey, User


def keys_of(*users: User) -> list[ApiKey]:
    return [ApiKey.mint(user, user.username)[0] for user in users]


def test_it_says_what_each_by_itself_would(alice: User, bob: User, charlie: User, admin: User) -> None:
    root = User.objects.create_superuser("root")
    bob.user_permissions.add(Permission.objects.get(codename="delete_user"))
    Group.objects.create(name="Empty").user_set.add(charlie)
    keys = keys_of(alice, bob, charlie, admin, root)
    narrowed = ApiKey.mint(alice, "narrow", scopes=["tools_app.call_echo"])[0]
    current = credentials.current([key.credential for key in (*keys, narrowed)])
    assert current == {key.credential: key.principal() for key in (*keys, narrowed)}


@pytest.mark.parametrize(
    "spoil",
    [
        {"revoked_at": timezone.now},
        {"expires_at": timezone.now},
    ],
)
def test_what_is_not_valid_any_more_is_not_there(alice: User, bob: User, spoil: dict[str, Any]) -> None:
    mine, his = keys_of(alice, bob)
    ApiKey.objects.filter(pk=mine.pk).update(**{name: value() for name, value in spoil.items()})
    assert list(credentials.current([mine.credential, his.credential])) == [his.credential]


def test_it_asks_as_much_for_many_as_for_one(alice: User, bob: User, charlie: User) -> None:
    keys = keys_of(alice, bob, charlie)
    counts = []
    for some in (keys[:1], keys):
        with CaptureQueriesContext(connection) as queries:
            credentials.current([key.credential for key in some])
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 5


def test_an_unknown_kind_is_nobody(db_for_threads: None) -> None:
    assert credentials.current(["cookie:1", "api-key:0"]) == {}
