from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from sessions_app.durations import parse_duration
from sessions_app.models import SessionToken

from .createkey import find_user, permission_name


class Command(BaseCommand):
    help = (
        "Make a session token for a user and print it, once. It is what a client gets when its user signs in with"
        " a password: it ends when it is left unused, and when the password is changed. For machines: createkey."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("user", help="The username of its owner, who must exist.")
        parser.add_argument("--name", default="", help="What it is for (default: nothing in particular).")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="CODENAME",
            help="Narrow it to this permission of its user (repeatable), such as call_get-user-profile.",
        )
        parser.add_argument(
            "--expires",
            type=length,
            default="14d",
            help="Its end, however busy it is: 12h, 14d, 8w (default: 14d).",
        )
        parser.add_argument(
            "--idle",
            type=length,
            default="24h",
            help="How long it lasts without use: 30m, 24h, 7d (default: 24h).",
        )
        parser.add_argument("--quiet", action="store_true", help="Print the token alone.")

    def handle(
        self,
        *args: Any,
        user: str,
        name: str,
        scope: list[str] | None,
        expires: timedelta,
        idle: timedelta,
        quiet: bool,
        **options: Any,
    ) -> None:
        scopes = None if scope is None else [permission_name(codename) for codename in scope]
        owner = find_user(user, create=False, is_service=False)
        try:
            made, token = SessionToken.mint(
                owner, name.strip(), scopes=scopes, lifetime=expires, idle_lifetime=idle
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if quiet:
            self.stdout.write(token.value)
            return
        self.stdout.write(
            f"Session token {made.prefix} for {owner}, valid until {made.expires_at:%Y-%m-%d %H:%M} UTC, or until"
            f" it is not used for {made.idle_lifetime}. It is shown this once:\n\n{token.value}\n"
        )


def length(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
