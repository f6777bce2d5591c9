"""What the bus tells: that something changed, by its id, never what it changed to.

An app adds its own with `@event`: a frozen dataclass of texts and numbers, which is all that leaves the process.
"""

from dataclasses import dataclass
from typing import Any

from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
    event_from_wire,
)

Event = Any
KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (ToolsListChanged, PromptsListChanged, ResourcesListChanged, ResourceUpdated)
}
"""By the name that goes over the channel layer."""


def event[E](kind: type[E]) -> type[E]:
    """Register a kind of event."""
    if kind.__name__ in KINDS:
        raise ValueError(f"{kind.__name__} is registered twice")
    KINDS[kind.__name__] = kind
    return kind


@event
@dataclass(frozen=True)
class SessionChanged:
    """A session ended, or something in its row that an open end of it goes by."""

    session_id: int


@event
@dataclass(frozen=True)
class Missed:
    """Something may have changed of which nothing was told. Whoever can ask the database asks it."""


@event
@dataclass(frozen=True)
class RequestCancelled:
    """A client cancelled a call of this session."""

    session_id: int
    request: str
    """`request_digest` of the JSON-RPC id, because the client chose that."""


@event
@dataclass(frozen=True)
class SessionListChanged:
    """A handler told its own client that a list changed. What anybody's lists hold is found by itself."""

    session_id: int
    notification: str

    @property
    def change(self) -> ServerEvent:
        return change_of(self.notification)


@event
@dataclass(frozen=True)
class ReplyArrived:
    """The client answered a request of ours."""

    server_request_id: int


@event
@dataclass(frozen=True)
class AuthorityChanged:
    """What somebody may do."""


@event
@dataclass(frozen=True)
class OwnResourceUpdated:
    """A resource that each user has his own of, such as `concierge://me/preferences`: this user's changed."""

    uri: str
    user_id: int


@event
@dataclass(frozen=True)
class OwnListChanged:
    """A list that each user has his own of: what is on this user's changed."""

    notification: str
    user_id: int

    @property
    def change(self) -> ServerEvent:
        return change_of(self.notification)


def change_of(notification: str) -> ServerEvent:
    change = event_from_wire(notification, None)
    assert change is not None  # noqa: S101 (it is made of one)
    return change
