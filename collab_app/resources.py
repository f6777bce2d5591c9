"""Rooms as resources: who may read one may also subscribe to it, and hears of each change."""

from typing import Any

from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from sessions_app.principal import Principal
from tools_app.context import CurrentPrincipal
from tools_app.instance import Instance
from tools_app.registry import completion, instances, resource

from .exceptions import RoomRefused
from .models import Room
from .models.message import MOST_MESSAGES
from .permissions import MEET
from .results import RoomDetails, RoomMessage, StateEntry
from .rooms_of import rooms_of
from .rosters import rosters

JSON = "application/json"
ROOM = "room://{roomId}"


async def nobody(principal: Principal, **variables: str) -> bool:
    """A page of what was said never changes."""
    return False


async def is_member(principal: Principal, roomId: str, **others: str) -> bool:
    return await rosters.is_member(roomId, principal.account)


def seen(principal: Principal, public_id: str) -> Room:
    """Raises: ResourceNotFoundError."""
    try:
        return Room.objects.seen_by(principal.account, public_id)
    except RoomRefused:
        raise ResourceNotFoundError from None


@resource(ROOM, name="room", title="A room", permission=MEET, mime_type=JSON, icon="users", may_follow=is_member)
def room(roomId: str, *, principal: CurrentPrincipal) -> dict[str, Any]:
    """Who is in a room, how many messages there are, and its shared state"""
    found = seen(principal, roomId)
    state = [StateEntry.of(entry).model_dump(mode="json", by_alias=True) for entry in found.state.all()]
    return {**RoomDetails.of(found).model_dump(mode="json", by_alias=True), "sharedState": state}


@resource(
    f"{ROOM}/messages",
    name="room-messages",
    title="What was said in a room",
    permission=MEET,
    mime_type=JSON,
    icon="users",
    may_follow=is_member,
)
def messages(roomId: str, *, principal: CurrentPrincipal) -> dict[str, Any]:
    """The newest messages of a room, oldest first, and where the ones before and after them are"""
    found = seen(principal, roomId)
    newest = max(0, found.last_sequence - MOST_MESSAGES)
    return page_of(found, newest)


@resource(
    f"{ROOM}/messages/{{after}}",
    name="room-messages-after",
    title="What was said in a room since",
    permission=MEET,
    mime_type=JSON,
    icon="users",
    may_follow=nobody,
)
def messages_after(roomId: str, after: str, *, principal: CurrentPrincipal) -> dict[str, Any]:
    """Messages of a room after a number, oldest first: whoever missed some reads on here"""
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise ResourceNotFoundError
    return page_of(seen(principal, roomId), int(after))


def page_of(room: Room, after: int) -> dict[str, Any]:
    said = room.messages.after(after)
    last = said[-1].sequence if said else after
    return {
        "messages": [RoomMessage.of(message).model_dump(mode="json", by_alias=True) for message in said],
        "lastSequence": last,
        "hasMore": bool(said) and last < room.last_sequence,
        "next": f"{room.uri}/messages/{last}",
    }


@resource(
    f"{ROOM}/state/{{key}}",
    name="room-state",
    title="A value that a room shares",
    permission=MEET,
    mime_type=JSON,
    icon="users",
    may_follow=is_member,
)
def state(roomId: str, key: str, *, principal: CurrentPrincipal) -> dict[str, Any]:
    """One value of a room's shared state, and at which version it is"""
    try:
        found = seen(principal, roomId).state.get(key)
    except RoomRefused:
        raise ResourceNotFoundError from None
    return StateEntry.of(found).model_dump(mode="json", by_alias=True)


@instances("room")
def rooms(principal: Principal) -> list[Instance]:
    """The caller's own."""
    rows = rooms_of(principal.account, most=None) if principal.account is not None else []
    # As many as `CONCIERGE_ROOMS_OF_ONE` says, at most.
    return [Instance(f"room://{row['id']}", f"room:{row['id']}", row["name"]) for row in rows]


def room_ids(value: str, *, principal: CurrentPrincipal) -> list[str]:
    mine = Room.objects.of(principal.account).filter(public_id__startswith=value)
    return list(mine.order_by("public_id").values_list("public_id", flat=True))


for template in ("room", "room-messages", "room-messages-after", "room-state"):
    completion(template, "roomId")(room_ids)


@completion("room-state", "key")
def state_keys(value: str, context: dict[str, str], *, principal: CurrentPrincipal) -> list[str]:
    """Of the room that was chosen before; of all of the caller's, if none was."""
    mine = Room.objects.of(principal.account)
    if "roomId" in context:
        mine = mine.filter(public_id=context["roomId"])
    keys = mine.filter(shared_state__key__startswith=value).order_by("shared_state__key")
    return list(keys.values_list("shared_state__key", flat=True).distinct())
