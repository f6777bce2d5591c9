"""Opaque secrets: `<prefix>_<public id>_<256-bit secret><checksum>`. Pure functions.

The prefix tells scanners and us what kind of secret it is, the public id is what people and logs may
see, the checksum refuses a mistyped or invented secret without a query, and only a keyed digest of
the whole is kept.
"""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass
from hashlib import sha256
from string import ascii_lowercase, ascii_uppercase, digits

API_KEY = "cgk"
SESSION_TOKEN = "cgs"
REFRESH_TOKEN = "cgr"
TICKET = "cgt"
TOKEN_FAMILY = "cgf"
"""Never a secret's: what lists call the tokens that one sign-in led to."""

ALPHABET = digits + ascii_uppercase + ascii_lowercase
PUBLIC_ID_LENGTH = 12
SECRET_LENGTH = 43  # 62**43 > 2**256
CHECKSUM_LENGTH = 6  # 62**6 > 2**32
SHAPE = re.compile(
    rf"(?P<prefix>[a-z]{{3}})_(?P<public_id>[0-9A-Za-z]{{{PUBLIC_ID_LENGTH}}})"
    rf"_(?P<secret>[0-9A-Za-z]{{{SECRET_LENGTH}}})(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True)
class Token:
    """One secret, whole. It is never stored, logged or shown twice."""

    prefix: str
    public_id: str
    value: str

    @property
    def last_four(self) -> str:
        return self.value[-4:]

    def __repr__(self) -> str:
        return f"<Token {self.prefix}_{self.public_id}_…>"


def mint(prefix: str, public_id: str = "") -> Token:
    """A new secret; of what is known by `public_id` already, if it is."""
    public_id = public_id or new_public_id()
    body = f"{prefix}_{public_id}_{base62(secrets.randbits(256), SECRET_LENGTH)}"
    return Token(prefix, public_id, body + checksum(body))


def new_public_id() -> str:
    return base62(secrets.randbits(71), PUBLIC_ID_LENGTH)


def parse(value: str) -> Token | None:
    """The token that `value` spells, or None if its shape or its checksum is wrong."""
    match = SHAPE.fullmatch(value)
    if match is None or checksum(value[:-CHECKSUM_LENGTH]) != match["checksum"]:
        return None
    return Token(match["prefix"], match["public_id"], value)


def digest(token: Token, secret_key: str) -> str:
    """What is kept: HMAC-SHA-256, hex, under a key derived from SECRET_KEY for this purpose alone."""
    return hmac.new(purpose_key(secret_key, f"token/{token.prefix}"), token.value.encode(), sha256).hexdigest()


def purpose_key(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose. The purpose is the message, so no two can run into each other."""
    return hmac.digest(secret_key.encode(), f"concierge/{purpose}".encode(), "sha256")


def checksum(text: str) -> str:
    return base62(zlib.crc32(text.encode()), CHECKSUM_LENGTH)


def base62(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, remainder = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[remainder])
    return "".join(reversed(characters))
