"""A JWT as it arrives (RFC 7519, the compact form of RFC 7515), read more strictly than PyJWT does.

Everything here raises Unauthenticated, with a reason for the log that repeats nothing of the token.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Self

import jwt

from sessions_app.exceptions import Unauthenticated, Unparsable
from sessions_app.transport import strict_json

LONGEST = 8 * 1024
"""Characters, counted before anything is decoded."""
LONGEST_KID = 200
SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
NEVER = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip", "cty"})
"""Header parameters that point elsewhere, bring their own key or change what is signed (RFC 8725, section 3)."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """It may be asked which key would verify it, and nothing else."""

    text: str
    kid: str
    issuer: str
    typ: str

    @classmethod
    def read(cls, text: str) -> Self:
        if len(text) > LONGEST:
            raise Unauthenticated("a JWT that is too long")
        if SHAPE.fullmatch(text) is None:
            raise Unauthenticated("a malformed JWT")
        header, payload, _ = text.split(".")
        parameters = json_object(header)
        if not NEVER.isdisjoint(parameters):
            raise Unauthenticated("a JWT with a header parameter that is never accepted")
        kid, typ = parameters.get("kid"), parameters.get("typ")
        if not (isinstance(kid, str) and 0 < len(kid) <= LONGEST_KID and isinstance(typ, str)):
            raise Unauthenticated("a JWT without a kid or a typ")
        issuer = json_object(payload).get("iss")
        if not isinstance(issuer, str):
            raise Unauthenticated("a JWT without an issuer")
        return cls(text, kid, issuer, typ)

    def verify(self, key: jwt.PyJWK) -> dict[str, Any]:
        """The claims, signed by `key` with the algorithm that is the key's."""
        algorithms = [key.algorithm_name]
        verifier = jwt.PyJWS(algorithms, {"verify_signature": True, "enforce_minimum_key_length": True})
        try:
            verifier.decode(self.text, key, algorithms)
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"a JWT that its key does not verify: {type(error).__name__}") from None
        return json_object(self.text.split(".")[1])


def json_object(part: str) -> dict[str, Any]:
    try:
        value = strict_json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, Unparsable):
        raise Unauthenticated("a malformed JWT") from None
    if not isinstance(value, dict):
        raise Unauthenticated("a malformed JWT")
    return value
