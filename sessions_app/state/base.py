"""What is asked of the shared state, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sessions_app.limits import Bucket

Epoch = tuple[str, str] | None
"""Everybody's and the caller's own. None while it cannot be told: what was read within the last second counts."""
LEASE = 10.0
"""Seconds that an operation counts as running. Whoever runs it renews that; who was killed does not.

Short, or workers that are killed again and again would fill their callers' places with calls that are no more.
"""


class Operation(NamedTuple):
    """A call that runs."""

    id: str
    name: str
    """The tool's, or else the method's."""
    session: str
    """Its session's public id; empty for one that nobody knew yet."""
    started_at: float
    """Seconds since 1970."""
    digest: str = ""
    """Of its arguments, as the record has it; empty for what is no tool."""


class Ticket(NamedTuple):
    """One request that wants to be let in."""

    owner: str
    """Whose calls are counted together: `user:7`, `guest:192.0.2.1/32`."""
    buckets: Sequence[Bucket] = ()
    operation: Operation | None = None
    """None for what takes no time of its own, such as a notification."""
    most_at_once: int = 0
    """Operations of the owner; only asked for with one."""


class Admission(NamedTuple):
    """What one round trip said. `epoch` is of the moment before any of the caller's authority is read anew."""

    epoch: Epoch
    refused: Bucket | None = None
    """The limit that is used up. Nothing was counted."""
    is_crowded: bool = False
    """Too many calls of the owner run at once. Nothing was counted."""
    retry_after: float = 0.0
    """Seconds until `refused` lets one more in."""


@dataclass(slots=True)
class Usage:
    """How far one limit is used up."""

    bucket: Bucket
    remaining: int
    resets_after: float = 0.0
    """Seconds until the oldest call that counts does not any more."""


def whose_epoch(owner: str) -> str:
    """A user has his own. Guests share one: their addresses are too many, and little about them changes."""
    kind = owner.partition(":")[0]
    return owner if kind == "user" else kind


class State(Protocol):
    is_away: bool
    """Whether what processes share is, so that each goes on by itself."""

    async def admit(self, ticket: Ticket) -> Admission:
        """Count the request and note its operation, or refuse it and do neither. One round trip."""

    def finish(self, ticket: Ticket) -> None:
        """Its operation does not run any more. Nobody waits for that to be known."""

    def renew(self, tickets: Sequence[Ticket]) -> None:
        """Their operations go on."""

    async def operations(self, owner: str) -> list[Operation]:
        """What runs for this owner, in all processes."""

    def operations_now(self, owners: Sequence[str]) -> dict[str, list[Operation]]:
        """As `operations`, of several at once, for code that cannot await. One round trip."""

    async def usage(self, buckets: Sequence[Bucket]) -> list[Usage]:
        """How far each is used up, without counting."""

    def usage_now(self, buckets: Sequence[Bucket]) -> list[Usage]:
        """As `usage`, for code that cannot await."""

    def take(self, buckets: Sequence[Bucket]) -> Admission:
        """As `admit`, for code that cannot await and runs nothing."""

    def give_back(self, buckets: Sequence[Bucket]) -> None:
        """What was taken of each just now does not count after all."""

    def change(self, *owners: str) -> None:
        """Authority changed, of these owners or else of everybody. From any thread, after the commit."""
