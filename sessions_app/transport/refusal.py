"""What is said, and what is logged, of a request that goes no further."""

import logging
from collections.abc import Mapping
from typing import Any

from mcp_types import INTERNAL_ERROR

from sessions_app.addresses import peer_address
from sessions_app.exceptions import RateLimited, Refused, Unauthenticated
from sessions_app.sign_in_log import note_refused

from . import strict_json
from .jsonrpc import Message, Reply, error

logger = logging.getLogger(__name__)


def body_of(refusal: Refused, message: Message | Reply | None = None) -> bytes:
    """The JSON-RPC error. Its id is the request's, or null where that is not known."""
    said = error(refusal.code, refusal.message, refusal.data)
    request_id = message.id if isinstance(message, Message) else None
    return strict_json.dumps({"jsonrpc": "2.0", "id": request_id, "error": said})


def unavailable() -> Refused:
    return Refused(
        "The database is not available.", status=503, code=INTERNAL_ERROR, headers=[(b"retry-after", b"1")]
    )


def note(refusal: Refused, scope: Mapping[str, Any]) -> None:
    if isinstance(refusal, Unauthenticated):
        note_refused(refusal, peer_address(scope), (name.decode("latin-1") for name, _ in scope["headers"]))
    elif isinstance(refusal, RateLimited):
        limit = refusal.bucket.limit
        used_up = (limit.name, limit.rate, refusal.bucket.owner)
        logger.warning("Refused a request from %s: limit %s (%s) of %s is used up", peer_address(scope), *used_up)
    else:
        logger.info("Refused a request from %s: %s", peer_address(scope), refusal.message)
