"""What is said, and what is logged, of a request that goes no further."""

import logging
from collections.abc import Mapping
from typing import Any

from sessions_app import outage
from sessions_app.addresses import peer_address
from sessions_app.exceptions import Refused, Unavailable
from sessions_app.refusal_log import log_refusal
from sessions_app.refusals import Reason, refusals

from . import strict_json
from .bus import bus
from .events import Missed
from .jsonrpc import Message, Reply, error

logger = logging.getLogger(__name__)


def body_of(refusal: Refused, message: Message | Reply | None = None) -> bytes:
    """The JSON-RPC error. Its id is the request's, or null where that is not known."""
    said = error(refusal.code, refusal.message, refusal.data)
    request_id = message.id if isinstance(message, Message) else None
    return strict_json.dumps({"jsonrpc": "2.0", "id": request_id, "error": said})


def unavailable(failure: Exception, said: str, *, writes: bool = False) -> Refused:
    """What is answered when the database fails. Counted here, and in the log: as `said`, and by what failed.

    `writes`: whether it was asked for a change, which may have been made all the same.
    """
    outage.log.tell(logger, said, failure)
    refusal = Unavailable(is_unconfirmed=writes and outage.is_unconfirmed(failure))
    if refusal.is_unconfirmed:
        bus.publish(Missed())  # if it was committed, nobody told of it
    refusals.count(Reason.UNAVAILABLE)
    return refusal


def note(refusal: Refused, scope: Mapping[str, Any]) -> None:
    """In the figures and in the log."""
    refusals.note(refusal)
    names = (name.decode("latin-1") for name, _ in scope["headers"])
    log_refusal(refusal, scope["type"], peer_address(scope), names)
