"""Outside issuers whose tokens are taken here: CONCIERGE_JWT_ISSUERS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from sessions_app.exceptions import Unauthenticated

from .algorithms import ASYMMETRIC
from .claims import Claims, Expected
from .compact import Unverified
from .key_set import KeySet, key_sets

LONGEST_LIFETIME = 24 * 60 * 60
"""Seconds. Nobody but their issuer can end its tokens, so none may go on for ever."""
TYPES: Mapping[str, frozenset[str]] = {
    "at+jwt": frozenset({"at+jwt", "application/at+jwt"}),
    "JWT": frozenset({"JWT"}),
}
"""By the setting: what the header's `typ` may be (RFC 9068, section 2.1). Compared in any case."""


@dataclass(frozen=True)
class Issuer:
    issuer: str
    audience: str
    jwks_url: str
    algorithms: tuple[str, ...] = tuple(ASYMMETRIC)
    typ: str = "at+jwt"
    allow_private: bool = False

    @property
    def keys(self) -> KeySet:
        return key_sets.of(self.jwks_url, self.algorithms, self.allow_private)

    def verify(self, token: Unverified) -> Claims:
        """Raises: Unauthenticated; KeysMissing, when its keys have to be fetched first."""
        expected = Expected(self.issuer, self.audience, self.typ, LONGEST_LIFETIME, takes_several_audiences=True)
        if token.typ.lower() not in {typ.lower() for typ in TYPES[self.typ]}:
            raise Unauthenticated("a JWT of another type than its issuer's access tokens")
        return Claims.read(token.verify(self.keys.key(token.kid)), expected)


def issuer_of(token: Unverified) -> Issuer:
    """Raises: Unauthenticated."""
    configured: list[dict[str, Any]] = settings.JWT_ISSUERS
    for details in configured:
        if details["issuer"] == token.issuer:
            return Issuer(**details)
    raise Unauthenticated("a JWT of an unknown issuer")
