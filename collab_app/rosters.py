"""Who is in which room, for open streams: as the database says within the last second, however many listen.

What is asked for at the same moment is read at once. The bus tells at once where somebody came or went.
"""

import asyncio
import time
from functools import partial
from typing import NamedTuple

from sessions_app.pool import sweep_pool
from sessions_app.recent import LIFETIME, see
from sessions_app.transport.bus import bus

from .events import MembersChanged
from .models import Membership, Room


class Roster(NamedTuple):
    room: int | None
    """None: there is no open room of that id."""
    members: frozenset[int]


class Rosters:
    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Roster]] = {}
        """By a room's public id, and until when."""
        self._wanted: set[str] = set()
        self._reading: asyncio.Task[dict[str, Roster]] | None = None
        self._changes = 0
        bus.on(MembersChanged, self._members_changed)

    async def is_member(self, public_id: str, user_id: int | None) -> bool:
        until, roster = self._known.get(public_id, (0.0, None))
        if roster is None or until < time.monotonic():
            roster = await self._read(public_id)
        return user_id in roster.members

    async def _read(self, public_id: str) -> Roster:
        self._wanted.add(public_id)
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read_all())
            self._reading.add_done_callback(see)
        # Shielded: one listener who leaves must not fail the others.
        return (await asyncio.shield(self._reading))[public_id]

    async def _read_all(self) -> dict[str, Roster]:
        await asyncio.sleep(0)  # the others of this moment
        wanted, self._wanted, self._reading = self._wanted, set(), None
        # What is older than a second is never served, and what is from before a change is not kept.
        until, changes = time.monotonic() + LIFETIME, self._changes
        found = await sweep_pool.run(partial(rosters_of, wanted))
        if changes == self._changes:
            now = time.monotonic()
            kept = {key: entry for key, entry in self._known.items() if entry[0] >= now}
            self._known = kept | {public_id: (until, roster) for public_id, roster in found.items()}
        return found

    def _members_changed(self, event: MembersChanged) -> None:
        self._changes += 1
        # A new one may be what was none until now.
        self._known = {
            public_id: entry
            for public_id, entry in self._known.items()
            if entry[1].room not in (event.room_id, None)
        }

    def forget(self) -> None:
        """Read everything anew."""
        self._known.clear()
        self._changes += 1


def rosters_of(public_ids: set[str]) -> dict[str, Roster]:
    """One for each, in two queries."""
    rooms = dict(Room.objects.open().filter(public_id__in=public_ids).values_list("public_id", "pk"))
    members: dict[int, set[int]] = {pk: set() for pk in rooms.values()}
    for room, user in Membership.objects.present().filter(room__in=members).values_list("room_id", "user_id"):
        members[room].add(user)
    found = {public_id: Roster(pk, frozenset(members[pk])) for public_id, pk in rooms.items()}
    return {public_id: found.get(public_id, Roster(None, frozenset())) for public_id in public_ids}


rosters = Rosters()
