"""What an exchange needs of the wire that its messages travel on."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from mcp_types import RequestId

from sessions_app.deadline import Deadline
from sessions_app.exceptions import Header

SLOWEST_READER = 10.0
"""Seconds that a client may leave our bytes unread before it is cut off."""


class Unread(Exception):
    """The client did not read in time, and was hung up on."""


class Carrier(Protocol):
    """Takes messages to the client, whole and in the order in which they were given.

    Raises: Unread. Who waits for his turn waits for others' bytes, and that is not counted against the client.
    """

    transport: str
    """As in `Session.transport`."""
    kind: str
    """As the SDK calls it (`TransportContext.kind`)."""
    has_headers: bool
    """Whether each request has headers of its own, which then may mirror what is in it."""
    is_own: bool
    """Whether it is one exchange's alone, which then looks after it."""
    takes_notifications: bool
    """Whether anything may be sent before the reply."""

    async def tell(self, message: bytes) -> None:
        """A notification, or a request of ours; dropped if the reply was sent meanwhile."""

    async def reply(self, message: bytes, status: int, headers: Sequence[Header] = ()) -> None:
        """The last of a request. `status` and `headers` are HTTP's, where nothing was sent before."""

    async def end(self) -> None:
        """The last of a request that gets no reply."""

    async def withdraw(self, request_id: RequestId) -> None:
        """The last of a subscription that the server ends of its own accord (2026-07-28, Subscriptions)."""

    async def watch(self) -> None:
        """Return when the client has left. Only asked where `is_own`."""

    async def sign_of_life(self) -> None:
        """Send what keeps a quiet wire open. Only asked where `is_own`."""

    def hang_up(self) -> None:
        """Drop the connection, and what was not read of it."""


async def in_time(carrier: Carrier, sending: Awaitable[None]) -> None:
    """Raises: Unread, after hanging up."""
    try:
        async with Deadline(SLOWEST_READER):
            await sending
    except TimeoutError:
        carrier.hang_up()
        raise Unread from None
