"""One page's socket to one room: frames in, answers and news out."""

import asyncio
from functools import partial
from itertools import count
from typing import Any

from django.db import Error as DatabaseFailure

from sessions_app.admission import admit
from sessions_app.callers import Presented
from sessions_app.exceptions import Refused, Unauthenticated
from sessions_app.models import User
from sessions_app.pool import background_pool, tool_pool
from sessions_app.principal import Principal
from sessions_app.request_ids import request_id
from sessions_app.transport import strict_json
from sessions_app.transport.closing import BROKEN, HEEDLESS, STOPPING, UNAUTHENTICATED, Close, Closing
from sessions_app.transport.inbox import Ended, Inbox
from sessions_app.transport.refusal import unavailable
from sessions_app.transport.response import Receive, Send
from sessions_app.transport.rules import Opening
from sessions_app.transport.socket import LONGEST_PAUSE, MOST_REFUSED, PAUSE
from sessions_app.transport.socket_carrier import SocketCarrier
from sessions_app.transport.sockets import sockets

from . import limits
from .exceptions import RoomNotFound
from .follower import Follower
from .frames import Frame, Leave, parsed, parsed_follow
from .live import OUT, live_rooms
from .models import Attendance, Room
from .permissions import may_meet
from .room_view import RoomView, view_of

NEWEST = 50
"""Messages that a page begins with."""
UNAVAILABLE = Close(1013, "The database is not available; connect again")
LEFT = Close(1000, "You have left the room")


class RoomSocket:
    """One page's socket, of a member. `serve` returns when it is closed, whoever did that."""

    def __init__(self, room: Room, caller: Presented, principal: Principal, receive: Receive, send: Send) -> None:
        self._room = room
        self._caller = caller
        self._principal = principal
        self._inbox = Inbox(receive)
        self._carrier = SocketCarrier(send)
        self._closing = Closing(self._carrier)
        self._is_leaving = False
        self._refused = 0
        """Frames in a row."""
        self._id = request_id.get()
        """That of the handshake; each frame's begins with it."""
        self._numbers = count(1)

    async def serve(self) -> None:
        await self._carrier.accept()
        follower = Follower(self._principal, self._carrier, self._end)
        try:
            # Looked after from the start: he may be removed, or signed out, while he catches up.
            with sockets.holding(self), live_rooms.following(self._room.pk, follower):
                await self._begin(follower)
                live_rooms.caught_up(self._room.pk, follower)
                while not self._closing.has_begun:
                    await self._take_frame(follower, await self._inbox.message())
        except Ended as ended:
            if ended.close is None:
                self._carrier.lose()
            else:
                self._closing.begin(ended.close)
        except RoomNotFound:
            self._closing.begin(OUT)
        except Refused as refusal:
            self._closing.begin(Close(1008, refusal.message[:100]))
        except DatabaseFailure as failure:
            unavailable(failure, "The database did not show a room")
            self._closing.begin(UNAVAILABLE)
        except Exception:
            self._closing.begin(BROKEN)
            raise
        finally:
            background_pool.later(partial(note_leaving, self._room, self._principal.user_id))
            await follower.close()
            await self._closing.done()

    def _end(self, close: Close) -> None:
        """Who is just leaving is no member any more, and hears of it in another way."""
        if not (self._is_leaving and close is OUT):
            self._closing.begin(close)

    def leave(self) -> None:
        self._closing.begin(STOPPING)

    async def _begin(self, follower: Follower) -> None:
        """What the page needs to know of the room, and from where on it is told. Raises: Refused, Ended."""
        wanted = parsed_follow(strict_json.loads(await self._inbox.message()))
        self._inbox.may_be_silent = True
        snapshot = await tool_pool.run(partial(self._snapshot, wanted.after))
        follower.sequence = snapshot["after"]
        follower.tell(strict_json.dumps(snapshot))
        # What was missed is read here, at the page's own pace: others wait for nothing of it.
        while (view := await tool_pool.run(partial(self._missed, follower))).has_more:
            follower.show(view)
            await follower.taken()
            if self._closing.has_begun or not self._carrier.is_open:
                return

    def _missed(self, follower: Follower) -> RoomView:
        """Raises: RoomNotFound."""
        view = view_of(self._room.pk, follower.sequence, follower.revision, with_here=False)
        if view is None or self._principal.account not in view.present:
            raise RoomNotFound(self._room.public_id)
        return view

    def _snapshot(self, after: int | None) -> dict[str, Any]:
        """Raises: RoomNotFound."""
        room = self._current(self._principal)
        user = User.objects.get(pk=self._principal.user_id)
        room.attend(user)
        newest = max(0, room.last_sequence - NEWEST)
        return {
            "room": {
                "id": room.public_id,
                "name": room.name,
                "by_invitation": room.by_invitation,
                "created_at": room.created_at.isoformat(),
            },
            "you": self._principal.username,
            "last_read": room.member(user).last_read,
            "after": newest if after is None else min(after, room.last_sequence),
        }

    def _current(self, principal: Principal) -> Room:
        """The same room, if it is still there for him. Raises: RoomNotFound."""
        room = Room.objects.seen_by(principal.account, self._room.public_id)
        if room.pk != self._room.pk:  # closed, and another opened under its id
            raise RoomNotFound(room.public_id)
        return room

    async def _take_frame(self, follower: Follower, body: bytes) -> None:
        naming = request_id.set(f"{self._id}.{next(self._numbers)}")
        try:
            await self._take(follower, body)
        finally:
            request_id.reset(naming)

    async def _take(self, follower: Follower, body: bytes) -> None:
        number: Any = None
        try:
            value = strict_json.loads(body)
            number = value.get("id") if isinstance(value, dict) else None
            frame = parsed(value)
            self._is_leaving = isinstance(frame, Leave)
            done = strict_json.dumps({"id": frame.id, "done": await self._do(frame)})
            self._refused = 0
            await follower.answer(done)
            if self._is_leaving:
                self._closing.begin(LEFT)
        except Unauthenticated:
            self._closing.begin(UNAUTHENTICATED)
        except RoomNotFound:
            self._closing.begin(OUT)
        except Refused as refusal:
            await follower.answer(strict_json.dumps(error(number, refusal)))
            await self._slow_down()
        except DatabaseFailure as failure:
            said = error(number, unavailable(failure, "The database did not take a frame", writes=True))
            await follower.answer(strict_json.dumps(said))

    async def _slow_down(self) -> None:
        """Who is refused again and again does not listen, and refusing him costs others' time, too."""
        self._refused += 1
        if self._refused >= MOST_REFUSED:
            self._closing.begin(HEEDLESS)
        await asyncio.sleep(min(self._refused * PAUSE, LONGEST_PAUSE))

    async def _do(self, frame: Frame) -> Any:
        """Raises: Refused."""
        admitted = await admit(self._caller, Opening(), None)
        if not may_meet(admitted.principal):
            raise RoomNotFound(self._room.public_id)
        return await tool_pool.run(partial(self._run, frame, admitted.principal))

    def _run(self, frame: Frame, principal: Principal) -> Any:
        if frame.writes:
            limits.count_post(principal)
        return frame.run(self._current(principal), User.objects.get(pk=principal.user_id))


def note_leaving(room: Room, user_id: int) -> None:
    """In the background. He may be back by then, or look at it in another tab."""
    if not live_rooms.is_shown_to(room.pk, user_id):
        Attendance.objects.left(room, user_id)


def error(number: Any, refusal: Refused) -> dict[str, Any]:
    data = refusal.data if isinstance(refusal.data, dict) else {}
    told = {"message": refusal.message, "status": refusal.status, **data}
    return {"id": number if isinstance(number, int) else None, "error": told}
