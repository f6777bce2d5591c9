"""What refuses a request before it reaches a tool. Translated to HTTP once, in `transport/http.py`."""

from collections.abc import Sequence
from math import ceil

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR

from .limits import Bucket

Header = tuple[bytes, bytes]
RATE_LIMITED = -32029
"""Of JSON-RPC's range for servers. The specification names none; this one ends like HTTP's 429."""


class Refused(Exception):
    """An answer of `status` carrying a JSON-RPC error of `code`. The message is for the caller to read."""

    status = 400
    code = INVALID_REQUEST
    headers: Sequence[Header] = ()

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        data: object = None,
        headers: Sequence[Header] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or self.status
        self.code = code or self.code
        self.data = data
        self.headers = headers or self.headers


class Unparsable(Refused):
    """The body is not one JSON value as RFC 8259 and RFC 7493 want it."""

    code = PARSE_ERROR


class Unauthenticated(Refused):
    """No credential, or a bad one. All bad ones look alike; the reason is for the log."""

    status = 401

    def __init__(self, reason: str, *, is_bad: bool = True) -> None:
        challenge = b'Bearer realm="concierge"' + (b', error="invalid_token"' if is_bad else b"")
        super().__init__(
            "The credential is not valid."
            if is_bad
            else "A credential is required: Authorization: Bearer <API key>.",
            headers=[(b"www-authenticate", challenge)],
        )
        self.reason = reason


class SignInFailed(Refused):
    """Nobody's name, a wrong password, or somebody who may not: the same answer."""

    status = 401
    headers = ((b"www-authenticate", b'Bearer realm="concierge"'),)

    def __init__(self) -> None:
        super().__init__("No active user has this name and this password.")


class RateLimited(Refused):
    """A limit is used up. Nothing was done, and nothing was counted."""

    status = 429
    code = RATE_LIMITED

    def __init__(self, bucket: Bucket, retry_after: float) -> None:
        name, limit, seconds = bucket.limit.name, bucket.limit, ceil(retry_after)
        super().__init__(
            "Rate limit exceeded. Remaining requests: 0. Please try again later."
            f" ({name}: {limit.rate}; one more in {seconds} s)",
            data={"limit": name, "rate": limit.rate, "remaining": 0, "retryAfterMs": ceil(retry_after * 1000)},
            # draft-ietf-httpapi-ratelimit-headers-10
            headers=[
                (b"retry-after", b"%d" % seconds),
                (b"ratelimit-policy", f'"{name}";q={limit.most};w={limit.seconds}'.encode()),
                (b"ratelimit", f'"{name}";r=0;t={seconds}'.encode()),
            ],
        )
        self.bucket = bucket
        self.retry_after = retry_after


class Crowded(Refused):
    """Too many calls of the caller run at once."""

    status = 429
    code = RATE_LIMITED

    def __init__(self, retry_after: float) -> None:
        super().__init__(
            "Too many calls at once. Please try again when some are done.",
            data={"limit": "at-once", "retryAfterMs": ceil(retry_after * 1000)},
            headers=[(b"retry-after", b"%d" % ceil(retry_after))],
        )
        self.retry_after = retry_after


class SessionNotFound(Refused):
    """Unknown, over, or somebody else's: the same answer, byte for byte. The client may open a new one."""

    status = 404
    code = -32001
    """As the TypeScript SDK answers; the specification leaves it open."""

    def __init__(self) -> None:
        super().__init__("Session not found")


class PreferenceRefused(ValueError):
    """A preference that is too large, or one too many. The message is for its user."""


class LinkRefused(Exception):
    """Nothing was changed. The message says why."""


class TooManySessions(Refused):
    """The server is full."""

    status = 503
    code = INTERNAL_ERROR
    headers = ((b"retry-after", b"60"),)

    def __init__(self, most: int) -> None:
        super().__init__(f"The server has {most} live sessions, and opens no more until some are over.")


class TooManySubscriptions(ValueError):
    """The message is for the client."""

    def __init__(self, most: int) -> None:
        super().__init__(f"At most {most} resources may be subscribed to at once")


class TooManyQuestions(ValueError):
    """The message is for the client."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} questions to this caller's clients wait for an answer")
