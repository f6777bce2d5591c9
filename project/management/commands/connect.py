from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from project.connect import CLIENTS, instructions


class Command(BaseCommand):
    help = "Print what to paste into a client to connect it to this server."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("client", choices=sorted(CLIENTS))
        parser.add_argument("--key", default="YOUR_API_KEY", help="An API key to fill in (manage.py createkey).")

    def handle(self, *args: Any, client: str, key: str, **options: Any) -> None:
        self.stdout.write(instructions(client, settings.CONFIG.origin, key))
