"""alice has a room, bob is in it, dora could be; charlie may use no rooms at all."""

import pytest

from collab_app.models import Room
from sessions_app.models import User
from sessions_app.permissions import MEMBERS
from tests.conftest import make_user


@pytest.fixture
def dora(db_for_threads: None) -> User:
    return make_user("dora", MEMBERS)


@pytest.fixture
def room(alice: User, bob: User) -> Room:
    room = Room.objects.start(alice, "Design", "design")
    room.join(bob)
    return room


@pytest.fixture
def others_room(bob: User, dora: User) -> Room:
    """Of which alice knows nothing."""
    room = Room.objects.start(bob, "Secret", "secret")
    room.post(bob, "Among us")
    room.state.set("plan", "hidden", bob)
    return room
