"""A line of the log for each call that is recorded. As in the record: never its arguments, nor its result."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sessions_app.log_lines import Line, Lines

if TYPE_CHECKING:
    from .recorder import Entry

logger = logging.getLogger("concierge.calls")

LONGEST = 100
"""Characters of a name that somebody else made up."""
IN_WORDS = frozenset({"kind", "name", "outcome"})


def tell(entries: "Sequence[Entry]") -> None:
    """All in one record, whose writing then is one: it may be a thousand a second."""
    if entries and logger.isEnabledFor(logging.INFO):
        logger.info(Lines([line_of(entry) for entry in entries]))


def line_of(entry: "Entry") -> Line:
    fields = fields_of(entry)
    words = f"{fields['kind']} {fields['name']}: {fields['outcome']}"
    return Line(entry.started + entry.duration_ms / 1000, entry.request_id, words, fields, IN_WORDS)


def fields_of(entry: "Entry") -> dict[str, Any]:
    principal, session = entry.principal, entry.session
    fields: dict[str, Any] = {
        "kind": entry.kind.value,
        "name": entry.name[:LONGEST],
        "outcome": entry.outcome.value,
        "duration_ms": round(entry.duration_ms, 3),
        "size": entry.size,
        "user": principal.username,
        "credential": principal.credential,
    }
    if session.pk:  # a guest's may be no row
        fields["session"] = session.public_id
    if session.client_name:
        fields["client"] = session.client_name[:LONGEST]
    if entry.ip:
        fields["ip"] = entry.ip
    if entry.error_id:
        fields["error_id"] = entry.error_id
    if entry.trace_id:
        fields["trace_id"] = entry.trace_id
    return fields
