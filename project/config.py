"""The environment, typed. Every problem is reported at once, by the name the operator typed."""

import json
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from sessions_app.rates import parse_rate

from .jwt_issuer import JwtIssuer

BASE_DIR = Path(__file__).resolve().parent.parent
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
SHORTEST_SECRET_KEY = 32
# What browsers put into a Host header: ASCII, so a name in another script as xn--….
HOST_NAME = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


class Config(BaseSettings):
    """What an operator can set. docs/settings.md lists the same names, and a test keeps it so."""

    # An empty variable (`REDIS_URL=`) means "not set", as in compose files.
    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(BASE_DIR / "var", alias="CONCIERGE_DATA_DIR")
    public_url: str | None = Field(None, alias="CONCIERGE_PUBLIC_URL")
    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], NoDecode] = Field(
        [], alias="CONCIERGE_TRUSTED_PROXIES"
    )
    record_days: int = Field(90, alias="CONCIERGE_RECORD_DAYS", ge=1, le=36500)
    metrics_token: SecretStr | None = Field(None, alias="CONCIERGE_METRICS_TOKEN")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", alias="CONCIERGE_LOG_LEVEL")
    log_format: Literal["text", "json"] = Field("text", alias="CONCIERGE_LOG_FORMAT")

    database_url: str | None = Field(None, alias="DATABASE_URL")
    redis_url: str | None = Field(None, alias="REDIS_URL")
    email_url: str | None = Field(None, alias="EMAIL_URL")
    email_from: str | None = Field(None, alias="CONCIERGE_EMAIL_FROM")

    guests: bool = Field(True, alias="CONCIERGE_GUESTS")
    call_rate: str = Field("6000/m", alias="CONCIERGE_CALL_RATE")
    key_rate: str = Field("3000/m", alias="CONCIERGE_KEY_RATE")

    post_rate: str = Field("240/m", alias="CONCIERGE_POST_RATE")
    message_bytes: int = Field(16 * 1024, alias="CONCIERGE_MESSAGE_BYTES", ge=1, le=128 * 1024)
    state_bytes: int = Field(256 * 1024, alias="CONCIERGE_STATE_BYTES", ge=1, le=4 * 1024 * 1024)
    room_keys: int = Field(256, alias="CONCIERGE_ROOM_KEYS", ge=1, le=10_000)
    room_members: int = Field(200, alias="CONCIERGE_ROOM_MEMBERS", ge=1, le=10_000)
    rooms_of_one: int = Field(200, alias="CONCIERGE_ROOMS_OF_ONE", ge=1, le=10_000)
    room_idle_days: int = Field(90, alias="CONCIERGE_ROOM_IDLE_DAYS", ge=1, le=36500)
    room_history_days: int = Field(90, alias="CONCIERGE_ROOM_HISTORY_DAYS", ge=0, le=36500)

    secret_key: SecretStr | None = Field(None, alias="SECRET_KEY")
    secret_key_fallbacks: Annotated[list[SecretStr], NoDecode] = Field([], alias="SECRET_KEY_FALLBACKS")

    jwt_issuers: Annotated[list[JwtIssuer], NoDecode] = Field([], alias="CONCIERGE_JWT_ISSUERS")

    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8000, alias="PORT", ge=1, le=65535)
    workers: int = Field(1, alias="WORKERS", ge=1)
    stop_notice: int = Field(3, alias="CONCIERGE_STOP_NOTICE", ge=0, le=15)

    # pydantic runs these from the last to the first: commas are split when `networks` is asked.
    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def networks(cls, value: list[str]) -> list[IPv4Network | IPv6Network]:
        return [ip_network(part) for part in value]  # pydantic's own message would be four lines of its innards

    @field_validator("trusted_proxies", "secret_key_fallbacks", mode="before")
    @classmethod
    def split_commas(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("call_rate", "key_rate", "post_rate")
    @classmethod
    def a_rate(cls, value: str) -> str:
        parse_rate(value)
        return value

    @field_validator("jwt_issuers", mode="before")
    @classmethod
    def read_json(cls, value: Any) -> Any:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            raise ValueError('must be JSON, such as [{"issuer": "…", "audience": "…", "jwks_url": "…"}]') from None

    @field_validator("jwt_issuers")
    @classmethod
    def each_once(cls, value: list[JwtIssuer]) -> list[JwtIssuer]:
        names = [entry.issuer for entry in value]
        if len(set(names)) < len(names):
            raise ValueError("names an issuer twice")
        return value

    @field_validator("data_dir")
    @classmethod
    def absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("public_url")
    @classmethod
    def only_an_origin(cls, value: str | None) -> str | None:
        """`https://mcp.example.com`, with a port if it needs one; no path, because `/mcp` is ours."""
        if value is None:
            return None
        parts = split_url(value)
        is_plain = HOST_NAME.fullmatch(parts.hostname or "") is not None and parts.username is None
        if parts.scheme not in ("http", "https") or not is_plain:
            raise ValueError("must look like https://mcp.example.com")
        if parts.path.rstrip("/") or parts.query or parts.fragment:
            raise ValueError("must have no path, query or fragment")
        return f"{parts.scheme}://{host_and_port(parts)}"

    @field_validator("database_url")
    @classmethod
    def a_database_we_run_on(cls, value: str | None) -> str | None:
        parts = split_url(value or "")
        if value is not None and parts.scheme not in ("postgres", "postgresql", "sqlite"):
            raise ValueError("must start with postgres:// or sqlite:///")
        if parts.scheme == "sqlite" and parts.path.strip("/") in ("", ":memory:"):
            raise ValueError("needs a file: each thread would have a database in memory of its own")
        return value

    @field_validator("redis_url")
    @classmethod
    def a_redis(cls, value: str | None) -> str | None:
        if value is not None and split_url(value).scheme not in ("redis", "rediss"):
            raise ValueError("must start with redis:// or rediss://")
        return value

    @field_validator("email_url")
    @classmethod
    def a_mail_server(cls, value: str | None) -> str | None:
        if value is not None and split_url(value).scheme not in ("smtp", "smtp+tls", "smtps", "console"):
            raise ValueError("must start with smtp://, smtp+tls:// (STARTTLS), smtps:// or console://")
        return value

    @field_validator("email_from")
    @classmethod
    def an_address(cls, value: str | None) -> str | None:
        if value is not None and not (value.isprintable() and value.count("@") == 1):
            raise ValueError("must be an address, such as concierge@example.com")
        return value

    @field_validator("secret_key", "secret_key_fallbacks", "metrics_token")
    @classmethod
    def long_enough(cls, value: SecretStr | list[SecretStr] | None) -> SecretStr | list[SecretStr] | None:
        keys = value if isinstance(value, list) else [value] if value else []
        if any(len(key.get_secret_value()) < SHORTEST_SECRET_KEY for key in keys):
            raise ValueError(
                f"needs at least {SHORTEST_SECRET_KEY} characters; make one with"
                ' python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
            )
        return value

    @field_validator("metrics_token")
    @classmethod
    def fit_for_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and re.fullmatch(r"[!-~]+", value.get_secret_value()) is None:
            raise ValueError("must be ASCII without spaces, as it is sent in a header")
        return value

    @property
    def origin(self) -> str:
        """The URL that people use: the public one, or where the embedded server listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https://")


def split_url(url: str) -> SplitResult:
    """Raises: ValueError, which does not repeat what may be a part of a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only here, and most passwords with a `#` or `/` end up in it
    except ValueError:
        raise ValueError("is not a URL; in a password, write special characters as %23 for #") from None
    return parts


def host_and_port(parts: SplitResult) -> str:
    """As in a Host header: lower case, IPv6 in brackets, no default port."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    return host if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{host}:{port}"


def read_config() -> Config:
    """The environment as a `Config`.

    Raises: ImproperlyConfigured naming every variable that is wrong, and never a secret's value.
    """
    try:
        return Config()  # type: ignore[call-arg]  # every field comes from the environment
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'environment'}: "
            + problem["msg"].removeprefix("Value error, ")  # pydantic's own
            for problem in error.errors(include_input=False)
        ]
        raise ImproperlyConfigured("the environment is not usable\n  " + "\n  ".join(problems)) from None
