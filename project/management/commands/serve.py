import fcntl
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from project.config import Config
from project.first_run import welcome

GRACE = 20
"""Seconds that calls in flight have to finish after a SIGTERM."""


class Server(uvicorn.Server):
    """uvicorn, which ends open subscriptions with their result before it waits for calls to finish."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        from project.asgi import end_streams

        end_streams()
        super().handle_exit(sig, frame)


class Command(BaseCommand):
    help = "Bring the database up to date, make a first operator if there is nobody, and serve."
    # uvicorn logs where it listens; a failed system check stops us before.
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        config: Config = settings.CONFIG
        refuse_what_is_unsafe(config)
        listener = listen(config.host, config.port)
        with one_at_a_time(config.data_dir):
            migrate()
            welcome(sys.stdout)
        print(f"Concierge {settings.VERSION} on {config.origin}  (MCP: {config.origin}/mcp)", flush=True)
        with suppress(KeyboardInterrupt):  # Ctrl-C is an ordinary end; uvicorn raises it again when it is done
            Server(uvicorn_config(config)).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Before anything is said or made: the port may be somebody else's."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"Cannot listen on {host}, port {port} (HOST, PORT): {reason}") from None


@contextmanager
def one_at_a_time(data_dir: Path) -> Iterator[None]:
    """Two servers that start at once on one data directory set it up one after the other."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data_dir / ".starting").open("w")
    except OSError as error:
        raise CommandError(f"CONCIERGE_DATA_DIR {data_dir} cannot be written: {error.strerror}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def migrate() -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except OperationalError as error:
        raise CommandError(f"The database (DATABASE_URL) cannot be used: {reason_of(error)}") from None


def reason_of(error: BaseException) -> str:
    """psycopg's pool only says that it waited; a connection of our own says what for."""
    url = settings.CONFIG.database_url or ""
    if url.startswith("postgres"):
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.Error as direct:
            error = direct
    return str(error).strip().partition("\n")[0]


def refuse_what_is_unsafe(config: Config) -> None:
    if not is_loopback(config.host) and not config.public_url:
        raise CommandError(
            f"Refusing to listen on HOST={config.host} without CONCIERGE_PUBLIC_URL: set it to the URL that people"
            " use, such as https://mcp.example.com. Host and Origin are checked against it."
        )
    if config.workers > 1:
        raise CommandError(
            f"WORKERS={config.workers}: this release serves from one process. Unset WORKERS; more workers need"
            " Redis and PostgreSQL, and come with a later release."
        )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def uvicorn_config(config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        "project.asgi:application",
        loop="uvloop",
        http="httptools",
        lifespan="on",
        # One line a request would be the slowest part of it; the record has every call.
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        server_header=False,
        # Only what trusted proxies say of a client's address counts. uvicorn trusts loopback unless told.
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in config.trusted_proxies],
        timeout_graceful_shutdown=GRACE,
    )
