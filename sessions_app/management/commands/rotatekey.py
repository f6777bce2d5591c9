from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions_app.durations import parse_duration
from sessions_app.exceptions import RotationRefused
from sessions_app.models import ApiKey


class Command(BaseCommand):
    help = (
        "Give an API key a new secret and print it, once. It stays the same key; for a while the secret before"
        " opens it, too, so that its clients can be changed one by one."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("prefix", help="As lists and logs show it: cgk_Ab12Cd34Ef56.")
        parser.add_argument(
            "--overlap",
            type=overlap,
            default="24h",
            help="How long the secret before is good for yet: 30m, 24h, 7d at most, or 0 (default: 24h).",
        )
        parser.add_argument("--quiet", action="store_true", help="Print the key alone.")

    def handle(self, *args: Any, prefix: str, overlap: timedelta, quiet: bool, **options: Any) -> None:
        key = ApiKey.objects.by_prefix(prefix).select_related("user").first()
        if key is None:
            # What was typed is not repeated: it may be a whole secret of another server.
            raise CommandError("There is no API key with that prefix.")
        try:
            token = key.rotate(overlap)
        except RotationRefused as refusal:
            raise CommandError(str(refusal)) from None
        if quiet:
            self.stdout.write(token.value)
            return
        before = f"is good until {key.previous_until:%Y-%m-%d %H:%M} UTC" if key.has_previous else "is over"
        self.stdout.write(
            f"API key {key.prefix} of {key.user} has a new secret; the one before {before}."
            f" It is shown this once:\n\n{token.value}\n"
        )


def overlap(text: str) -> timedelta:
    try:
        return timedelta(0) if text == "0" else parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}, or 0") from None
