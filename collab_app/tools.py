"""The tool `collaboration`: rooms, for agents. The seed's, and what its users would miss."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from pydantic import Field

from sessions_app.admission import refuse
from sessions_app.permissions import ADMINISTRATORS, MEMBERS
from sessions_app.pool import tool_pool
from sessions_app.state import Ticket, state
from tools_app.builtin.people import acting
from tools_app.context import ABSENT, CurrentLog, CurrentPrincipal, CurrentSession, call_of, optional
from tools_app.registry import tool

from . import limits, resources
from .actions import ACTIONS, Asked, list_rooms, look, name_of
from .permissions import TOOL
from .results import Action, RoomResult

Sequence = Annotated[int, Field(ge=0, le=2**63 - 1)]
RoomId = Annotated[
    str | None,
    Field(
        description="The room: 1 to 64 letters, digits and any of . _ ~ -, as its creator chose it.",
        examples=["design-review"],
    ),
]
StateKey = Annotated[str | None, Field(description="Which shared value. Without it, state shows the room.")]
StateValue = Annotated[Any, Field(description="Any JSON value, null included: state sets it under stateKey.")]


@dataclass
class Prepared:
    """What was settled outside of the transaction."""

    seen: RoomResult | None = None
    """What was only looked at."""


async def prepared(
    ctx: Context[Any, Any],
    action: Action,
    roomId: RoomId,
    stateKey: StateKey,
    stateValue: StateValue,
    removeState: bool,
    afterSequence: Sequence | None,
    cursor: str | None,
) -> Prepared:
    """To look, and to be counted: neither belongs into a transaction."""
    call = call_of(ctx.request_context)
    if action == "list":
        return Prepared(await tool_pool.run(partial(list_rooms, call.principal, cursor)))
    if action == "state" and not removeState and (not stateKey or stateValue is ABSENT):
        return Prepared(await tool_pool.run(partial(look, call.principal, call.session, roomId, afterSequence)))
    if action != "leave":
        refuse(await state.admit(Ticket(call.principal.owner, [limits.bucket_of(call.principal)])))
    return Prepared()


@tool(TOOL, title="Collaboration", groups=(MEMBERS, ADMINISTRATORS), icon="users")
def collaboration(
    action: Annotated[
        Action,
        Field(
            description="create, join or leave a room; say a message; look at a room's state or set a value of it;"
            " list your rooms; invite or remove a user."
        ),
    ],
    roomId: RoomId = None,
    roomName: Annotated[str | None, Field(description="What a new room is called; for create.")] = None,
    message: Annotated[str | None, Field(description="What to say; for message.")] = None,
    stateKey: StateKey = None,
    stateValue: StateValue = optional(),
    removeState: Annotated[bool, Field(description="For state: remove the value under stateKey.")] = False,
    expectedVersion: Annotated[
        Sequence | None,
        Field(
            description="For state: only while the value is at this version, 0 while there is none. Otherwise"
            " nothing is changed, and the answer says what is there now."
        ),
    ] = None,
    idempotencyKey: Annotated[
        str | None,
        Field(description="For message: sent again with the same key it is said once. Choose one at random."),
    ] = None,
    afterSequence: Annotated[
        Sequence | None,
        Field(description="For state: messages after this number, up to 100, instead of the last five."),
    ] = None,
    byInvitation: Annotated[
        bool, Field(description="For create: only who is invited may join, not whoever knows the id.")
    ] = False,
    username: Annotated[str | None, Field(description="Whom to invite or remove.", examples=["bob"])] = None,
    cursor: Annotated[str | None, Field(description="For list: where the next page begins.")] = None,
    *,
    prepared: Annotated[Prepared, Resolve(prepared)],
    principal: CurrentPrincipal,
    session: CurrentSession,
    log: CurrentLog,
) -> RoomResult:
    """Manage collaboration rooms and participate in multi-user sessions

    In a room people and agents meet: they read each other's messages in one order, and share values under keys.
    To count or to take turns, look at a value's version and set it with expectedVersion; on a conflict look at
    what is there, and decide anew. Subscribe to room://{roomId} to hear when something changes.
    """
    if prepared.seen is not None:
        return prepared.seen
    asked = Asked(
        acting(principal), name_of(session), log, roomId, roomName, message, stateKey, stateValue, removeState,
        expectedVersion, idempotencyKey, byInvitation, username,
    )  # fmt: skip
    return ACTIONS[action](asked)


__all__ = ["collaboration", "resources"]
