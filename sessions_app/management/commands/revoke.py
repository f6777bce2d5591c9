from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions_app.models import ApiKey


class Command(BaseCommand):
    help = "Revoke an API key, by the prefix that lists and logs show (cgk_…). It stops working within a second."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("prefix")

    def handle(self, *args: Any, prefix: str, **options: Any) -> None:
        key = ApiKey.objects.by_prefix(prefix).select_related("user").first()
        if key is None:
            # What was typed is not repeated: it may be a whole key of another server.
            raise CommandError("There is no API key with that prefix.")
        if not key.revoke():
            raise CommandError(f"{key} of {key.user} was revoked already, on {key.revoked_at:%Y-%m-%d %H:%M} UTC.")
        self.stdout.write(f"Revoked {key} of {key.user}.")
