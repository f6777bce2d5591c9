import argparse
import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connections

from project.config import Config
from project.first_run import welcome
from project.metrics import files
from project.server import serve
from project.workers import Workers, is_on_a_terminal


class Command(BaseCommand):
    help = "Bring the database up to date, make a first operator if there is nobody, and serve."
    # It migrates itself. System checks do run before, and what they refuse is not started.
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workers", type=at_least_one, metavar="N", help="processes (default: WORKERS, or 1)")

    def execute(self, *args: Any, **options: Any) -> str | None:
        if (count := options["workers"]) is not None:
            # Before the checks, which judge it; and for the workers, which read the environment themselves.
            os.environ["WORKERS"] = str(count)
            settings.CONFIG = settings.CONFIG.model_copy(update={"workers": count})
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        config: Config = settings.CONFIG
        refuse_what_is_unsafe(config)
        listener = listen(config.host, config.port)
        with one_at_a_time(config.data_dir):
            migrate()
            welcome(sys.stdout)
        let_go_of_the_database()
        print(f"Concierge {settings.VERSION} on {config.origin}  (MCP: {config.origin}/mcp)", flush=True)
        if config.workers == 1 and is_on_a_terminal():
            serve(listener)  # sooner, and `breakpoint()` works; who sits there can end whatever is stuck
        else:
            supervise(config.workers, listener)


def at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def supervise(count: int, listener: socket.socket) -> None:
    workers = Workers(count, listener)
    with figures_together():
        workers.run()
    if workers.has_failed:
        raise CommandError("The workers cannot start; the log above says why.")


@contextmanager
def figures_together() -> Iterator[None]:
    """If anybody may see them: what the workers count counts together."""
    if settings.CONFIG.metrics_token is None:
        yield
        return
    try:
        directory = files.new_directory()
    except OSError as error:
        raise CommandError(
            f"CONCIERGE_METRICS_TOKEN is set, and workers keep what they count in files: {error.strerror}."
            " TMPDIR says where; a few megabytes do."
        ) from None
    with directory:
        yield


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


def let_go_of_the_database() -> None:
    """What only sets up and then looks on needs no connection, nor a pool that keeps one open."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()  # type: ignore[attr-defined]


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


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
