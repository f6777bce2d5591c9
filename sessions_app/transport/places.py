"""How many streams one process holds open: in all, of guests, and of one credential."""

from collections.abc import Sequence

from mcp_types import INTERNAL_ERROR

from sessions_app.exceptions import Refused
from sessions_app.models.session_queryset import GUESTS_SHARE
from sessions_app.principal import Principal

MOST = 5000
MOST_OF_ONE = 100
"""Of one credential."""
TRY_LATER = [(b"retry-after", b"60")]


def check_place_for(principal: Principal, rivals: Sequence[Principal]) -> None:
    """For one more beside `rivals`, whose streams are open. Raises: Refused (503, 429)."""
    most, of_kind = MOST, len(rivals)
    if principal.account is None:
        most, of_kind = MOST // GUESTS_SHARE, sum(rival.account is None for rival in rivals)
    if of_kind >= most:
        raise Refused("The server has too many open streams.", status=503, headers=TRY_LATER)
    if sum(rival.credential == principal.credential for rival in rivals) >= MOST_OF_ONE:
        raise Refused("Too many open streams of this credential.", status=429, headers=TRY_LATER)


def stopping() -> Refused:
    """Nothing was done. On a WebSocket, where there are no headers, the error says when to come again."""
    headers = [(b"retry-after", b"1")]
    again = {"retryAfterMs": 1000}
    return Refused("The server is stopping.", status=503, code=INTERNAL_ERROR, data=again, headers=headers)
