"""What counts one message, and how it is noted while it runs."""

from collections.abc import Sequence
from typing import NamedTuple

from sessions_app.admission import new_operation
from sessions_app.limits import GUEST_MESSAGES, MESSAGES, Bucket
from sessions_app.models.session import unnamed_session
from sessions_app.principal import Principal
from sessions_app.state import Epoch, Operation

from .envelope import client_name, fitting
from .jsonrpc import Message, Reply
from .kernel import HostedServer

LISTEN = "subscriptions/listen"
LONGEST_NOTED = 100
"""Characters of what is noted of a request that runs."""


class Rules(NamedTuple):
    """What counts one message."""

    server: HostedServer
    message: Message | Reply | None

    def buckets(self, principal: Principal) -> Sequence[Bucket]:
        """What is no request has a limit of its own: who may ask no more may still answer, cancel and leave."""
        message = self.message
        if not isinstance(message, Message) or message.id is None:
            return (Bucket(GUEST_MESSAGES if principal.account is None else MESSAGES, principal.owner),)
        return (*principal.buckets, *self.server.limits(principal, message))

    def noted(self, operation: Operation, principal: Principal) -> Operation:
        assert isinstance(self.message, Message)  # noqa: S101 (nothing else runs)
        identifier, name, session, started_at, _ = operation
        session = session or unnamed_session(principal.credential, client_name(self.message))
        return Operation(identifier, name, session, started_at, self.server.digest(principal, self.message))

    async def refresh(self, epoch: Epoch) -> bool:
        return await self.server.refresh(epoch)


class Opening:
    """What counts that somebody connects: his own limits, as with any request."""

    def buckets(self, principal: Principal) -> Sequence[Bucket]:
        return principal.buckets

    def noted(self, operation: Operation, principal: Principal) -> Operation:
        return operation

    async def refresh(self, epoch: Epoch) -> bool:
        return False


class Uncounted:
    """To know who it is, for what was counted already or will be."""

    def buckets(self, principal: Principal) -> Sequence[Bucket]:
        return ()

    def noted(self, operation: Operation, principal: Principal) -> Operation:
        return operation

    async def refresh(self, epoch: Epoch) -> bool:
        return False


def operation_of(message: Message | Reply | None, session: str) -> Operation | None:
    """A request that takes time. What only listens has limits of its own (`ends.py`).

    `session`: its session's public id, where the request is of one that has a name (`unnamed_session`).
    """
    if not isinstance(message, Message) or message.id is None or message.method == LISTEN:
        return None
    name = (message.params or {}).get("name") if message.method == "tools/call" else None
    return new_operation(noted(name if isinstance(name, str) else message.method), noted(session))


def noted(text: str) -> str:
    """What a client sent, fit to be kept for a moment and shown."""
    return text if len(text) <= LONGEST_NOTED and text.isprintable() else fitting(text, LONGEST_NOTED)
