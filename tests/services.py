"""The real services that some tests need: where they are, and whether a skip would be a failure."""

import os
import shutil
import socket
from functools import cache
from urllib.parse import urlsplit

import psycopg

POSTGRES, REDIS, BROWSER = "postgres", "redis", "browser"
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


def is_required(service: str) -> bool:
    return service in os.environ.get("CONCIERGE_REQUIRE", "").split(",")


@cache
def postgres_url() -> str | None:
    """A PostgreSQL whose user may create databases."""
    url = os.environ.get("TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return None
    return url


@cache
def redis_url() -> str | None:
    url = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=2).close()
    except OSError:
        return None
    return url


@cache
def browser_path() -> str | None:
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


FIND = {POSTGRES: postgres_url, REDIS: redis_url, BROWSER: browser_path}
