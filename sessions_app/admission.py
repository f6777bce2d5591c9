"""Letting a request in: counted, noted as running, and by who its caller is at this very moment."""

import secrets
import time
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple, Protocol

from . import limits
from .callers import Presented, callers
from .exceptions import Crowded, RateLimited
from .limits import Bucket
from .principal import Principal
from .state import Admission, Epoch, Operation, Ticket, state
from .tracing import tracing

ORIGIN = secrets.token_hex(6)
numbers = count()


class Admitted(NamedTuple):
    principal: Principal
    epoch: Epoch
    """What else is read of the database at this epoch, and within the last second, counts too."""
    ticket: Ticket


class Rules(Protocol):
    """What is counted of one request."""

    def buckets(self, principal: Principal) -> Sequence[Bucket]: ...

    def noted(self, operation: Operation, principal: Principal) -> Operation:
        """`operation` with all that is known of it once its caller is."""

    async def refresh(self, epoch: Epoch) -> bool:
        """Have the rules of this epoch, not more than a second old. Whether they are others than before."""


async def admit(presented: Presented, rules: Rules, operation: Operation | None) -> Admitted:
    """One round trip to the shared state; and to the database, a second after the last or if authority changed.

    Raises: Unauthenticated, RateLimited, Crowded. Who is let in has to be let go by `state.finish`.
    """
    with tracing.span("admit"):
        met = await callers.meet(presented)
        if operation is not None:
            operation = rules.noted(operation, met)
        ticket = Ticket(met.owner, rules.buckets(met), operation, limits.MOST_AT_ONCE)
        try:
            admission = await state.admit(ticket)
            are_others = await rules.refresh(admission.epoch)
            principal = await callers.know(presented, admission.epoch)
            if are_others or principal is not met:
                admission = await count_again(ticket, admission, rules.buckets(principal))
            refuse(admission)
        except BaseException:
            state.finish(ticket)
            raise
        return Admitted(principal, admission.epoch, ticket)


async def count_again(ticket: Ticket, admission: Admission, buckets: Sequence[Bucket]) -> Admission:
    """By limits that are known only now: of a tool that he may see since a moment ago, or at another rate."""
    if admission.refused is not None and admission.refused not in buckets:
        return await state.admit(ticket._replace(buckets=buckets))
    uncounted = set(buckets).difference(ticket.buckets)
    if admission.refused is None and not admission.is_crowded and uncounted:
        counted = await state.admit(Ticket(ticket.owner, list(uncounted)))
        return counted._replace(epoch=admission.epoch)
    return admission


def refuse(admission: Admission) -> None:
    """Raise RateLimited or Crowded, unless there is nothing to refuse."""
    if admission.is_crowded:
        raise Crowded(admission.retry_after)
    if admission.refused is not None:
        raise RateLimited(admission.refused, admission.retry_after)


def new_operation(name: str, session: str) -> Operation:
    return Operation(f"{ORIGIN}{next(numbers):x}", name, session, time.time())
