"""What a verified JWT says, in the one form in which it is believed."""

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from sessions_app.exceptions import Unauthenticated

LEEWAY = 30
"""Seconds by which clocks may differ."""
LATEST = 253_402_300_799
"""The last second of the year 9999."""
LONGEST_TEXT = 255


@dataclass(frozen=True, slots=True)
class Expected:
    """What a verifier takes for its own."""

    issuer: str
    audience: str
    typ: str
    longest: int
    """Seconds from `iat` to `exp`."""
    takes_several_audiences: bool


@dataclass(frozen=True, slots=True)
class Claims:
    issuer: str
    subject: str
    issued_at: int
    expires_at: int
    jti: str
    permissions: tuple[str, ...] | None
    """None: it is not narrowed."""
    family: str | None

    @classmethod
    def read(cls, claims: dict[str, Any], expected: Expected) -> Self:
        """Raises: Unauthenticated for whatever is missing, of another type, over, or somebody else's."""
        if claims.get("iss") != expected.issuer:
            raise Unauthenticated("a JWT of another issuer")
        if not is_for(claims.get("aud"), expected):
            raise Unauthenticated("a JWT for another audience")
        issued_at, expires_at = check_times(claims, expected)
        return cls(
            issuer=expected.issuer,
            subject=text(claims, "sub"),
            issued_at=issued_at,
            expires_at=expires_at,
            jti=text(claims, "jti"),
            permissions=permissions_of(claims),
            family=text(claims, "fam") if "fam" in claims else None,
        )

    @property
    def refused_from(self) -> datetime:
        """When its time is over, and the leeway too."""
        return datetime.fromtimestamp(self.expires_at + LEEWAY, UTC)

    @property
    def has_expired(self) -> bool:
        return self.expires_at + LEEWAY <= time.time()

    def is_from_before(self, moment: datetime | None) -> bool:
        """`iat` has whole seconds: a token of the same second may be from after it, and is not from before."""
        return moment is not None and self.issued_at < int(moment.timestamp())

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        claims = json.loads(text)
        permissions = claims.pop("permissions")
        return cls(**claims, permissions=None if permissions is None else tuple(permissions))


def is_for(audience: Any, expected: Expected) -> bool:
    if isinstance(audience, list) and expected.takes_several_audiences:
        return all(isinstance(one, str) for one in audience) and expected.audience in audience
    return isinstance(audience, str) and audience == expected.audience


def check_times(claims: dict[str, Any], expected: Expected) -> tuple[int, int]:
    """`iat` and `exp`."""
    now = time.time()
    issued_at, expires_at = moment(claims, "iat"), moment(claims, "exp")
    begins_at = moment(claims, "nbf") if "nbf" in claims else issued_at
    if expires_at + LEEWAY <= now:
        raise Unauthenticated("an expired JWT")
    if max(issued_at, begins_at) > now + LEEWAY:
        raise Unauthenticated("a JWT from the future")
    if not 0 < expires_at - issued_at <= expected.longest:
        raise Unauthenticated("a JWT that lasts longer than is allowed")
    return issued_at, expires_at


def moment(claims: dict[str, Any], name: str) -> int:
    """Whole seconds. A bool is an int to Python, and not here."""
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= LATEST:
        raise Unauthenticated(f"a JWT whose {name} is missing or not a whole number of seconds")
    return value


def text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEXT:
        raise Unauthenticated(f"a JWT whose {name} is missing or not a text")
    return value


def permissions_of(claims: dict[str, Any]) -> tuple[str, ...] | None:
    if "permissions" not in claims:
        return None
    value = claims["permissions"]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Unauthenticated("a JWT whose permissions are not a list of texts")
    return tuple(value)
