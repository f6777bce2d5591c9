"""The real services that some tests need: where they are, and whether a skip would be a failure."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from urllib.parse import urlsplit

import psycopg
import redis

POSTGRES, REDIS, BROWSER, NGINX = "postgres", "redis", "browser", "nginx"
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


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """The URL of a new PostgreSQL database, dropped in the end."""
    url = str(postgres_url())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def own_redis() -> Iterator[str]:
    """The URL of an empty Redis database, claimed for us and emptied in the end. Other runs claim others."""
    for number in range(14, 0, -1):
        url = urlsplit(str(redis_url()))._replace(path=f"/{number}").geturl()
        with redis.Redis.from_url(url) as database:
            if database.set("claimed-by-tests", os.getpid(), nx=True, ex=600):
                if database.dbsize() == 1:
                    try:
                        yield url
                    finally:
                        database.flushdb()
                    return
                database.delete("claimed-by-tests")
    raise RuntimeError("No Redis database from 1 to 14 is empty")


@cache
def browser_path() -> str | None:
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


@cache
def nginx_path() -> str | None:
    """Debian keeps it where only root's PATH goes."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


FIND = {POSTGRES: postgres_url, REDIS: redis_url, BROWSER: browser_path, NGINX: nginx_path}
