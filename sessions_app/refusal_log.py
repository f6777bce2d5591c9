"""A line of the log for each request that went no further. Anybody can cause one at any time, so it is short."""

import logging
from collections.abc import Iterable

from .exceptions import RateLimited, Refused, Unauthenticated
from .refusals import reason_of
from .sign_in_log import header_names

logger = logging.getLogger("concierge.refusals")

LONGEST = 200
"""Characters of what the caller was told."""


def log_refusal(refusal: Refused, transport: str, address: str | None, headers: Iterable[str]) -> None:
    """`headers`: their names. What is counted elsewhere, or is no refusal, is logged there, too."""
    level = logging.WARNING if isinstance(refusal, Unauthenticated | RateLimited) else logging.INFO
    if logger.isEnabledFor(level) and (reason := reason_of(refusal)) is not None:
        fields = {"reason": str(reason), "status": refusal.status, "transport": transport, "ip": address}
        words = (refusal.status, reason, transport, address, told_of(refusal, headers))
        logger.log(level, "Refused (%s %s) over %s from %s: %s", *words, extra={"fields": fields})


def told_of(refusal: Refused, headers: Iterable[str]) -> str:
    match refusal:
        case Unauthenticated():  # why is for the log alone
            return f"{refusal.reason} (headers: {header_names(headers)})"
        case RateLimited():
            limit = refusal.bucket.limit
            return f"limit {limit.name} ({limit.rate}) of {refusal.bucket.owner} is used up"
    return refusal.message[:LONGEST]
