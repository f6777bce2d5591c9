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
    """No credential, or a bad one. All bad ones look alike; the reason is for the log.

    `told`: what an operator wants the holder of a revoked one to know, once its whole secret was shown.
    """

    status = 401

    def __init__(self, reason: str, *, is_bad: bool = True, told: str = "") -> None:
        challenge = b'Bearer realm="concierge"' + (b', error="invalid_token"' if is_bad else b"")
        said = "The credential is not valid."
        if not is_bad:
            said = "A credential is required: Authorization: Bearer <API key>."
        elif told:
            said = f"The credential was revoked: {told}"
            challenge += b', error_description="%s"' % quotable(said)
        super().__init__(said, headers=[(b"www-authenticate", challenge)])
        self.reason, self.told, self.is_bad = reason, told, is_bad


def quotable(text: str) -> bytes:
    """What `error_description` may hold (RFC 6750, section 3): printable ASCII without quotes and backslashes."""
    return text.encode("ascii", "replace").replace(b'"', b"'").replace(b"\\", b"/")


class WrongSite(Refused):
    """To a name that is not ours, or from a page of another site."""


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
    """Unknown, over, or somebody else's: the same answer, byte for byte. The client may open a new one.

    `told`: what an operator who ended it wants its own client to know.
    """

    status = 404
    code = -32001
    """As the TypeScript SDK answers; the specification leaves it open."""

    def __init__(self, told: str = "") -> None:
        super().__init__(f"This session was ended: {told}" if told else "Session not found")
        self.told = told


class PreferenceRefused(ValueError):
    """A preference that is too large, or one too many. The message is for its user."""


class LinkRefused(Exception):
    """Nothing was changed. The message says why."""


class RotationRefused(ValueError):
    """The key is as it was. The message is for its user."""


class TooManySessions(Refused):
    """The server is full."""

    status = 503
    code = INTERNAL_ERROR
    headers = ((b"retry-after", b"60"),)

    def __init__(self, most: int) -> None:
        super().__init__(f"The server has {most} live sessions, and opens no more until some are over.")


class Unavailable(Refused):
    """The database is away. What was lost on the way to its commit may have been carried out."""

    status = 503
    code = INTERNAL_ERROR
    headers = ((b"retry-after", b"1"),)

    def __init__(self, *, is_unconfirmed: bool = False) -> None:
        doubt = " Whether this was carried out is not known: look before you repeat it." if is_unconfirmed else ""
        super().__init__(f"The database is not available.{doubt}")
        self.is_unconfirmed = is_unconfirmed


class TooManySubscriptions(ValueError):
    """The message is for the client."""

    def __init__(self, most: int) -> None:
        super().__init__(f"At most {most} resources may be subscribed to at once")


class TooManyQuestions(ValueError):
    """The message is for the client."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} questions to this caller's clients wait for an answer")
