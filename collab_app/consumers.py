"""A room, live in a browser: who is signed in, his member's rights, and frames in and out. Rules are the room's.

    guard → authenticate → member? → follow, and for each frame: admit → the room

The page says with its first frame which message it saw last, and is told all since; so a connection that was lost
costs nothing. What happens leaves by `live.py`.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http.cookie import parse_cookie

from sessions_app.addresses import network_of, peer_address
from sessions_app.admission import admit
from sessions_app.callers import Presented
from sessions_app.credentials.browser import IDENTITY
from sessions_app.credentials.ticket import proven
from sessions_app.exceptions import Refused, Unauthenticated
from sessions_app.pool import tool_pool
from sessions_app.principal import Principal
from sessions_app.transport.guard import Guard
from sessions_app.transport.refusal import note, unavailable
from sessions_app.transport.response import Receive, refuse
from sessions_app.transport.rules import Opening
from sessions_app.transport.sockets import sockets
from sessions_app.transport.websocket import denying

from .exceptions import RoomNotFound
from .models import Room
from .models.room_queryset import PUBLIC_ID
from .permissions import may_meet
from .room_socket import RoomSocket

PATH = "/ws/rooms/"
SESSION_KEY = re.compile(r"[A-Za-z0-9]{8,64}")


class RoomConsumer(AsyncConsumer):
    """Opens the socket, or answers as for an unknown room."""

    def __init__(self, *, guard: Guard) -> None:
        self.guard = guard

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        await receive()  # websocket.connect
        public_id = scope["path"].removeprefix(PATH).rstrip("/")
        try:
            headers = self.guard.check_names(scope)
            caller = signed_in(headers, scope)
            principal = (await admit(caller, Opening(), None)).principal
            room = await tool_pool.run(partial(room_for, principal, public_id))
            with sockets.place(principal, network_of(peer_address(scope))):
                await RoomSocket(room, caller, principal, receive, send).serve()
        except Refused as refusal:
            note(refusal, scope)
            await refuse(denying(send), refusal)
        except DatabaseFailure as failure:
            await refuse(denying(send), unavailable(failure, "The database did not say who looks at a room"))


def signed_in(headers: Mapping[str, str], scope: Any) -> Presented:
    """Whose cookie it is. Only a page of ours sends it: others have another Origin. Raises: Refused."""
    if "origin" not in headers:
        raise Refused("This is for pages of this server, and a page has an Origin.", status=403)
    if scope["query_string"]:
        raise Refused("This path takes no query string.")
    # As Django reads them for the page itself.
    cookies = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
    if SESSION_KEY.fullmatch(key) is None:
        raise Unauthenticated("nobody is signed in", is_bad=False)
    return proven(f"{IDENTITY}:{key}", peer_address(scope))


def room_for(principal: Principal, public_id: str) -> Room:
    """Raises: RoomNotFound."""
    if not may_meet(principal) or PUBLIC_ID.fullmatch(public_id) is None:
        raise RoomNotFound(public_id)
    return Room.objects.seen_by(principal.account, public_id)
