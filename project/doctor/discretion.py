"""No secret leaves: whatever an error quotes, it is struck out before it is printed."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

from project.config import Config

from .finding import Finding

SHORTEST = 4
"""What is shorter protects nothing, and would be found in every word."""
STRUCK = "…"


class Discretion:
    def __init__(self, config: Config, *others: str) -> None:
        known = {*secrets_of(config), *others}
        self._secrets = sorted((secret for secret in known if len(secret) >= SHORTEST), key=len, reverse=True)

    def of(self, finding: Finding) -> Finding:
        return replace(finding, says=self.without(finding.says), mend=self.without(finding.mend))

    def without(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, STRUCK)
        return text


def secrets_of(config: Config) -> Iterator[str]:
    for url in filter(None, (config.database_url, config.redis_url, config.email_url)):
        yield from passwords_in(url)
    for key in filter(None, (config.secret_key, *config.secret_key_fallbacks, config.metrics_token)):
        yield key.get_secret_value()


def passwords_in(url: str) -> Iterator[str]:
    """As it is written, and as it is meant. One that is the user's name or the database's says nothing."""
    parts = urlsplit(url)
    found = [parts.password or "", *(value for name, value in parse_qsl(parts.query) if "password" in name)]
    public = (parts.scheme, parts.username, parts.hostname, parts.path.strip("/"))
    yield from (form for secret in found for form in (secret, unquote(secret)) if form not in public)
