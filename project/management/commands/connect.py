from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from sessions_app.connect import CLIENTS, PLACEHOLDER, instructions


class Command(BaseCommand):
    help = "Print what to paste into a client to connect it to this server."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("client", choices=sorted(CLIENTS))
        parser.add_argument("--key", default=PLACEHOLDER, help="An API key to fill in (manage.py createkey).")

    def handle(self, *args: Any, client: str, key: str, **options: Any) -> None:
        self.stdout.write(instructions(client, settings.CONFIG.origin, key))
