"""`python -m tests.failure.fuzzed`: people with all that one can have, whom nothing is spared; as JSON.

Run again, it mends what became of them.
"""

import json

import django

django.setup()

from django.contrib.auth.models import Group
from django.test import Client

from collab_app.models import Room
from sessions_app.models import ApiKey, User
from sessions_app.permissions import MEMBERS
from tests.belongings import Belongings, everything_of
from tests.doors import filled, routes
from tools_app.models import ToolPolicy

MEMBERS_OF_ALL = 8
UNFIT = (
    "ask-and-write", "ask-briefly", "block", "brief", "brief-with", "count", "count-in-thread", "crash",
    "crash-on",
    "held-write", "hold", "hook", "keep-the-lock", "lie", "note", "odd-error", "recite", "slow-write", "stuck",
    "touch", "unresolved",
)  # fmt: skip
"""Tools that are there to fail, to take long, or to take anything: they say nothing about the server."""
OUTSIDE = ("sign-out/", "admin/logout/")
"""Of these pages, who is signed in is not to ask by accident."""


def user_called(name: str, **details: bool) -> User:
    user, _ = User.objects.update_or_create(username=name, defaults={"is_active": True, **details})
    user.groups.add(Group.objects.get_or_create(name=MEMBERS)[0])
    return user


def cookie_of(user: User) -> str:
    browser = Client()
    browser.force_login(user)
    return browser.cookies["sessionid"].value


def belongings() -> Belongings:
    """Of somebody new each time: those of before may have been deleted."""
    return everything_of(user_called(f"bob{User.objects.count()}"))


def main() -> None:
    members = [user_called(f"member{number}") for number in range(MEMBERS_OF_ALL)]
    operator = user_called("operator", is_staff=True, is_superuser=True)
    room = Room.objects.start(members[0], "The hall", f"hall{Room.objects.count()}")
    for member in members[1:]:
        room.join(member)
    for name in UNFIT:
        ToolPolicy.objects.update_or_create(tool=name, defaults={"is_on": False})
    rows = belongings()
    paths = {filled(route, rows) for route in routes() if route not in OUTSIDE and not route.startswith("api/")}
    print(
        json.dumps(
            {
                "members": [ApiKey.mint(user, "fuzz")[1].value for user in members],
                "operator": ApiKey.mint(operator, "fuzz")[1].value,
                "cookies": [cookie_of(user) for user in (*members, operator)],
                "paths": sorted(paths),
                "rooms": [room.public_id, rows[Room].public_id, "never-was"],
            }
        )
    )


main()
