"""Access tokens of our own: short-lived, signed under a key derived from SECRET_KEY, never stored."""

import base64
import secrets
import time
from hashlib import sha256

import jwt
from django.conf import settings

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.models import TokenFamily

from .algorithms import OWN
from .claims import Claims, Expected
from .compact import Unverified

TYP = "at+jwt"
"""RFC 9068. No other kind of JWT of ours can be taken for one."""
LIFETIME = 10 * 60
"""Seconds. A revoked token is refused at once all the same; this is for whoever verifies them elsewhere."""


def expected() -> Expected:
    origin: str = settings.CONFIG.origin
    return Expected(origin, f"{origin}/mcp", TYP, LIFETIME, takes_several_audiences=False)


def ring() -> dict[str, jwt.PyJWK]:
    """By `kid`: the key that signs, then those of the fallbacks, which verify what they signed before."""
    keys = [tokens.purpose_key(secret, "jwt") for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return {sha256(b"kid/" + key).hexdigest()[:16]: as_jwk(key) for key in keys}


def as_jwk(key: bytes) -> jwt.PyJWK:
    return jwt.PyJWK({"kty": "oct", "k": base64.urlsafe_b64encode(key).rstrip(b"=").decode()}, OWN)


def issue(family: TokenFamily) -> str:
    """An access token of `family`, which is valid now."""
    kid, key = next(iter(ring().items()))
    now, own = int(time.time()), expected()
    claims = {
        "iss": own.issuer,
        "aud": own.audience,
        "sub": str(family.user_id),
        "iat": now,
        "exp": now + LIFETIME,
        "jti": secrets.token_urlsafe(16),
        "fam": family.public_id,
    }
    if family.scopes is not None:
        claims["permissions"] = family.scopes
    return jwt.encode(claims, key, OWN, headers={"kid": kid, "typ": TYP})


def verify(token: Unverified) -> Claims:
    """Raises: Unauthenticated."""
    key = ring().get(token.kid)
    if key is None:
        raise Unauthenticated("a JWT under a key that is not in the ring")
    if token.typ != TYP:
        raise Unauthenticated("a JWT that is no access token")
    claims = Claims.read(token.verify(key), expected())
    if claims.family is None:
        raise Unauthenticated("a JWT without a family")
    return claims
