"""The rooms that this process shows to browsers. Each is read once for all who look, when the bus says so.

A wake-up may be lost. So twice a second, and whenever authority changes, one look at the database says which rooms
have something new, and who may not look any more.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.utils import timezone

from sessions_app import credentials
from sessions_app.deadline import watch
from sessions_app.outage import log
from sessions_app.pool import rooms_pool, sweep_pool
from sessions_app.principal import Principal
from sessions_app.request_ids import of_nobody
from sessions_app.transport.bus import bus
from sessions_app.transport.closing import UNAUTHENTICATED, Close
from sessions_app.transport.ends import SWEEP_EVERY
from sessions_app.transport.events import AuthorityChanged
from sessions_app.transport.tasks import Tasks

from .events import AttendanceChanged, MembersChanged, MessagePosted, StateChanged
from .follower import Follower
from .models import Attendance, Membership, Room
from .models.attendance import NOTED_EVERY
from .permissions import may_meet
from .room_view import view_of

logger = logging.getLogger(__name__)

HERE_IS_READ_EVERY = 10.0
"""Seconds: nobody says that he is not here any more."""
NONE = -1
"""A number that everybody has seen."""
OUT = Close(4403, "You are not in this room any more")
CLOSED = Close(4403, "This room was closed")


class LiveRoom:
    """One room and its followers. It is read by where the last of them is."""

    def __init__(self, pk: int) -> None:
        self.pk = pk
        self.followers: set[Follower] = set()
        self._is_due = False
        self._wants_here = False
        self._reading: asyncio.Task[None] | None = None

    @property
    def ready(self) -> list[Follower]:
        return [follower for follower in self.followers if not follower.is_catching_up]

    def wake(self, *, with_here: bool = False) -> None:
        self._is_due = True
        self._wants_here |= with_here
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read(), context=of_nobody())

    def compare(self, sequence: int, revision: int) -> None:
        """Read it if somebody knows less than there is."""
        if any(each.sequence < sequence or each.revision < revision for each in self.ready):
            self.wake()

    async def _read(self) -> None:
        while self._is_due and (ready := self.ready):
            self._is_due, with_here, self._wants_here = False, self._wants_here, False
            sequence = min(follower.sequence for follower in ready)
            revision = min(follower.revision for follower in ready)
            try:
                view = await rooms_pool.run(partial(view_of, self.pk, sequence, revision, with_here=with_here))
            except Exception as error:  # noqa: BLE001 (the sweep finds what is new when the database is back)
                log.tell(logger, "A room could not be read", error)
                return
            for follower in self.ready:
                if view is None:
                    follower.end(CLOSED)
                elif follower.principal.account not in view.present:
                    follower.end(OUT)
                # Who came while it was read may want more than was asked for: he is shown the next.
                elif follower.sequence >= sequence and follower.revision >= revision:
                    follower.show(view)
            self._is_due |= view is not None and view.has_more


class LiveRooms:
    def __init__(self) -> None:
        self._rooms: dict[int, LiveRoom] = {}
        self._next_sweep = self._next_here = self._next_note = 0.0
        self._sweeping: asyncio.Task[None] | None = None
        self._is_due = False
        self._tasks = Tasks()
        bus.on(MessagePosted, self._message_posted)
        bus.on(StateChanged, self._state_changed)
        for kind in (MembersChanged, AttendanceChanged):
            bus.on(kind, self._people_changed)
        bus.on(AuthorityChanged, self._authority_changed)

    @contextmanager
    def following(self, room_id: int, follower: Follower) -> Iterator[None]:
        """`follower` is looked after inside this block, and shown what happens once it has caught up."""
        if not self._rooms:
            watch.add(self)
        room = self._rooms.setdefault(room_id, LiveRoom(room_id))
        room.followers.add(follower)
        try:
            yield
        finally:
            room.followers.discard(follower)
            if not room.followers:
                self._rooms.pop(room_id, None)
                if not self._rooms:
                    watch.remove(self)

    def is_shown_to(self, room_id: int, user_id: int | None) -> bool:
        """Whether this process shows that room to this user."""
        room = self._rooms.get(room_id)
        return room is not None and any(each.principal.account == user_id for each in room.followers)

    def caught_up(self, room_id: int, follower: Follower) -> None:
        follower.is_catching_up = False
        if (room := self._rooms.get(room_id)) is not None:
            room.wake(with_here=True)

    def _message_posted(self, event: MessagePosted) -> None:
        if (room := self._rooms.get(event.room_id)) is not None:
            room.compare(event.sequence, NONE)

    def _state_changed(self, event: StateChanged) -> None:
        if (room := self._rooms.get(event.room_id)) is not None:
            room.compare(NONE, event.revision)

    def _people_changed(self, event: MembersChanged | AttendanceChanged) -> None:
        if (room := self._rooms.get(event.room_id)) is not None:
            room.wake(with_here=True)

    def _authority_changed(self, event: AuthorityChanged) -> None:
        if self._rooms:
            self._sweep_soon()

    # --- The sweep ---

    def look(self, now: float) -> None:
        if now >= self._next_here:
            self._next_here = now + HERE_IS_READ_EVERY
            for room in self._rooms.values():
                room.wake(with_here=True)
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_EVERY
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        self._is_due = True
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = self._tasks.spawn(self._sweep())

    async def _sweep(self) -> None:
        while self._is_due and self._rooms:
            self._is_due = False
            proofs = {follower.principal.proof for _, follower in self._followers()}
            current, present, newest = await sweep_pool.run(partial(authority_of, proofs, list(self._rooms)))
            for room_id, follower in self._followers():
                principal = current.get(follower.principal.proof)
                if principal is None and follower.principal.proof in proofs:
                    follower.end(UNAUTHENTICATED)
                elif principal is not None and not (
                    may_meet(principal) and (room_id, principal.account) in present
                ):
                    follower.end(OUT if room_id in newest else CLOSED)
            for room_id, (sequence, revision) in newest.items():
                if (room := self._rooms.get(room_id)) is not None:
                    room.compare(sequence, revision)
            if (now := time.monotonic()) >= self._next_note:
                self._next_note = now + NOTED_EVERY.total_seconds()
                await rooms_pool.run(partial(note, [(room, each.principal) for room, each in self._followers()]))

    def _followers(self) -> list[tuple[int, Follower]]:
        return [(pk, follower) for pk, room in self._rooms.items() for follower in room.followers]


def authority_of(
    proofs: set[str], rooms: list[int]
) -> tuple[dict[str, Principal], set[tuple[int, int | None]], dict[int, tuple[int, int]]]:
    """Who they are now, who is in which of the rooms, and how far those that are open are. A few queries."""
    present = Membership.objects.present().filter(room__in=rooms, room__closed_at=None)
    newest = Room.objects.open().filter(pk__in=rooms).values_list("pk", "last_sequence", "revision")
    found = {pk: (sequence, revision) for pk, sequence, revision in newest}
    return credentials.current(proofs), set(present.values_list("room_id", "user_id")), found


def note(seen: list[tuple[int, Principal]]) -> None:
    """That they are still here."""
    users = {principal.account for _, principal in seen}
    rows = Attendance.objects.filter(room__in={room for room, _ in seen}, user__in=users, client="").order_by("pk")
    here = {(room, principal.account) for room, principal in seen}
    pks = [pk for pk, room, user in rows.values_list("pk", "room_id", "user_id") if (room, user) in here]
    Attendance.objects.filter(pk__in=pks).update(seen_at=timezone.now())


live_rooms = LiveRooms()
