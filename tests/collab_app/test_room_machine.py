"""Rooms beside a model of what they should be: whatever is done in whatever order, both agree."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from collab_app.exceptions import RoomRefused
from collab_app.models import Membership, Message, Room, SharedState
from sessions_app.models import User

NAMES = ("alice", "bob", "dora")
USERS = st.sampled_from(NAMES)
IDS = st.sampled_from(["a", "b"])
KEYS = st.sampled_from(["x", "y"])
VALUES = st.none() | st.integers(0, 9) | st.text(max_size=3) | st.lists(st.booleans(), max_size=2)


class Model:
    """A room as one would write it down on paper."""

    def __init__(self, owner: str, *, by_invitation: bool) -> None:
        self.members: dict[str, bool] = {owner: True}
        """In the order in which they came, and whether they own it."""
        self.by_invitation = by_invitation
        self.invited: set[str] = set()
        self.banned: set[str] = set()
        self.messages: list[tuple[str, str]] = []
        self.keys: dict[tuple[str, str], tuple[int, str]] = {}
        self.state: dict[str, tuple[Any, int]] = {}
        self.versions: set[int] = set()

    def join(self, user: str) -> bool:
        if user not in self.members:
            if (self.by_invitation or user in self.banned) and user not in self.invited:
                return False
            self.members[user] = False
            self.invited.discard(user)
            self.banned.discard(user)
        return True

    def end(self, user: str) -> None:
        was_owner = self.members.pop(user, False)
        self.invited.discard(user)
        if was_owner and self.members and not any(self.members.values()):
            self.members[next(iter(self.members))] = True


class Machine(RuleBasedStateMachine):
    users: dict[str, User]
    """Made before, for all runs."""
    said = Bundle("said")

    def __init__(self) -> None:
        super().__init__()
        for model in (Message, SharedState, Membership, Room):
            model.objects.all().delete()
        self.models: dict[str, Model] = {}

    def attempt(self, work: Callable[[], Any]) -> Any:
        """What came of it, or the refusal."""
        try:
            return work()
        except RoomRefused as refusal:
            return refusal

    def of(self, public_id: str) -> Room:
        return Room.objects.open_by_id(public_id)

    @rule(user=USERS, room=IDS, by_invitation=st.booleans())
    def start(self, user: str, room: str, by_invitation: bool) -> None:
        made = self.attempt(lambda: Room.objects.start(self.users[user], "R", room, by_invitation=by_invitation))
        assert isinstance(made, Room) == (room not in self.models)
        if isinstance(made, Room):
            self.models[room] = Model(user, by_invitation=by_invitation)

    @rule(user=USERS, room=IDS)
    def join(self, user: str, room: str) -> None:
        done = self.attempt(lambda: self.of(room).join(self.users[user]))
        model = self.models.get(room)
        assert isinstance(done, Membership) == (model is not None and model.join(user))

    @rule(user=USERS, by=USERS, room=IDS)
    def invite(self, user: str, by: str, room: str) -> None:
        done = self.attempt(lambda: self.of(room).invite(self.users[user], by=self.users[by]))
        model = self.models.get(room)
        may = model is not None and by in model.members
        assert isinstance(done, Membership) == may
        if model is not None and may and user not in model.members:
            model.invited.add(user)
            model.banned.discard(user)

    @rule(user=USERS, room=IDS)
    def leave(self, user: str, room: str) -> None:
        done = self.attempt(lambda: self.of(room).leave(self.users[user]))
        model = self.models.get(room)
        may = model is not None and (user in model.members or user in model.invited)
        assert (done is None) == may
        if model is not None and may:
            self.without(room, model, user)

    @rule(user=USERS, by=USERS, room=IDS)
    def remove(self, user: str, by: str, room: str) -> None:
        done = self.attempt(lambda: self.of(room).remove(self.users[user], by=self.users[by]))
        model = self.models.get(room)
        may = (
            model is not None and model.members.get(by, False) and (user in model.members or user in model.invited)
        )
        assert (done is None) == may
        if model is not None and may:
            model.banned.add(user)
            self.without(room, model, user)

    def without(self, room: str, model: Model, user: str) -> None:
        model.end(user)
        if not model.members:
            del self.models[room]

    @rule(
        target=said,
        user=USERS,
        room=IDS,
        text=st.text("ab", min_size=1, max_size=3),
        key=st.sampled_from(["", "k"]),
    )
    def post(self, user: str, room: str, text: str, key: str) -> tuple[str, str, str, str]:
        done = self.attempt(lambda: self.of(room).post(self.users[user], text, key=key))
        model = self.models.get(room)
        if model is None or user not in model.members:
            assert isinstance(done, RoomRefused)
        elif key and (user, key) in model.keys:
            sequence, before = model.keys[user, key]
            assert isinstance(done, RoomRefused) if before != text else done.sequence == sequence
        else:
            model.messages.append((user, text))
            assert done.sequence == len(model.messages)
            if key:
                model.keys[user, key] = done.sequence, text
        return user, room, text, key

    @rule(what=said)
    def post_again(self, what: tuple[str, str, str, str]) -> None:
        self.post(*what)

    @rule(user=USERS, room=IDS, key=KEYS, value=VALUES, expected=st.sampled_from([None, "same", "none", "old"]))
    def set(self, user: str, room: str, key: str, value: Any, expected: str | None) -> None:
        model = self.models.get(room)
        there = model.state.get(key) if model else None
        version = {None: None, "same": there[1] if there else 0, "none": 0, "old": 10**6}[expected]
        done = self.attempt(
            lambda: self.of(room).state.set(key, value, self.users[user], expected_version=version)
        )
        may = model is not None and user in model.members
        fits = version is None or version == (there[1] if there else 0)
        assert isinstance(done, SharedState) == (may and fits)
        if model is not None and may and fits:
            assert done.version not in model.versions
            model.versions.add(done.version)
            model.state[key] = value, done.version

    @rule(user=USERS, room=IDS, key=KEYS)
    def unset(self, user: str, room: str, key: str) -> None:
        done = self.attempt(lambda: self.of(room).state.remove(key, self.users[user]))
        model = self.models.get(room)
        may = model is not None and user in model.members and key in model.state
        assert (done is None) == may
        if model is not None and may:
            del model.state[key]

    @invariant()
    def both_agree(self) -> None:
        assert set(Room.objects.open().values_list("public_id", flat=True)) == set(self.models)
        for public_id, model in self.models.items():
            room = self.of(public_id)
            present = room.memberships.present().select_related("user").order_by("joined_at", "pk")
            assert {each.user.username: each.is_owner for each in present} == model.members
            assert {
                each.user.username for each in room.memberships.invited().select_related("user")
            } == model.invited
            told = [(message.author_name, message.text) for message in room.messages.after(0, 1000)]
            assert told == model.messages
            assert room.last_sequence == len(model.messages)
            assert {each.key: (each.value, each.version) for each in room.state.all()} == model.state


@pytest.fixture
def machine(alice: User, bob: User, dora: User) -> type[Machine]:
    Machine.users = {"alice": alice, "bob": bob, "dora": dora}
    return Machine


@pytest.mark.alike
def test_rooms_are_as_on_paper(machine: type[Machine]) -> None:
    quietly = settings(
        max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck),
        derandomize=True, database=None,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=quietly)
