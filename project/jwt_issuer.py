"""One entry of CONCIERGE_JWT_ISSUERS: whose JWTs are taken besides our own."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sessions_app.jwt.algorithms import ASYMMETRIC


class JwtIssuer(BaseModel):
    """docs/settings.md says what each is for."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    issuer: str = Field(min_length=1, max_length=200, pattern=r"^\S+$")
    audience: str = Field(min_length=1, max_length=255)
    jwks_url: str
    algorithms: list[str] = Field(list(ASYMMETRIC), min_length=1)
    typ: Literal["at+jwt", "JWT"] = "at+jwt"
    allow_private: bool = False

    @field_validator("jwks_url")
    @classmethod
    def only_https(cls, value: str) -> str:
        """Raises: ValueError."""
        parts = urlsplit(value)
        _ = parts.port  # a number that is none is found only here
        is_plain = value.isascii() and value.isprintable() and " " not in value and parts.username is None
        if parts.scheme != "https" or not parts.hostname or parts.fragment or not is_plain:
            raise ValueError("must look like https://login.example.com/keys")
        return value

    @field_validator("algorithms")
    @classmethod
    def only_asymmetric(cls, value: list[str]) -> list[str]:
        """A shared secret could sign, too. Raises: ValueError."""
        if unknown := [name for name in value if name not in ASYMMETRIC]:
            raise ValueError(f"{', '.join(unknown)} is not among {', '.join(ASYMMETRIC)}")
        return value
