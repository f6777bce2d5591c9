import logging
import sys
from ipaddress import ip_address
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

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

    def add_arguments(self, parser: Any) -> None:
        config: Config = settings.CONFIG
        parser.add_argument(
            "--host", default=config.host, help="Address to listen on (HOST; default: %(default)s)."
        )
        parser.add_argument("--port", type=int, default=config.port, help="Port (PORT; default: %(default)s).")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        config: Config = settings.CONFIG
        refuse_what_is_unsafe(host, config)
        call_command("migrate", verbosity=0, interactive=False)
        config.host, config.port = host, port
        welcome(sys.stdout)
        print(f"Concierge {settings.VERSION} on {config.origin}  (MCP: {config.origin}/mcp)", flush=True)
        Server(uvicorn_config(host, port, config)).run()


def refuse_what_is_unsafe(host: str, config: Config) -> None:
    if not is_loopback(host) and not config.public_url:
        raise CommandError(
            f"Refusing to listen on {host} without CONCIERGE_PUBLIC_URL: set it to the URL that people use,"
            " such as https://mcp.example.com. Host and Origin are checked against it."
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


def uvicorn_config(host: str, port: int, config: Config) -> uvicorn.Config:
    return uvicorn.Config(
        "project.asgi:application",
        host=host,
        port=port,
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
