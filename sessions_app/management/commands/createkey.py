from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from sessions_app.durations import parse_duration
from sessions_app.models import ApiKey, User
from sessions_app.permissions import MEMBERS

NEVER = "never"


class Command(BaseCommand):
    help = "Make an API key for a user and print it, once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("user", help="The username of the key's owner.")
        parser.add_argument("--name", required=True, help="What the key is for: a machine, a client, a job.")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="CODENAME",
            help="Narrow the key to this permission of its user (repeatable), such as call_get-user-profile.",
        )
        parser.add_argument(
            "--expires", type=lifetime, default="90d", help="30m, 12h, 90d, 52w or never (default: 90d)."
        )
        parser.add_argument(
            "--rate", default="", help="How many requests it is good for: 100/h, 10/s, 600/m (default: 3000/m)."
        )
        parser.add_argument(
            "--address",
            action="append",
            default=[],
            metavar="CIDR",
            help="Take it only from this network (repeatable), such as 10.0.0.0/8 or 2001:db8::/32.",
        )
        parser.add_argument(
            "--create-user", action="store_true", help="Make a member of that name if there is none."
        )
        parser.add_argument(
            "--service",
            action="store_true",
            help="With --create-user: a service account, to which nobody signs in.",
        )
        parser.add_argument("--quiet", action="store_true", help="Print the key alone.")

    @transaction.atomic
    def handle(
        self,
        *args: Any,
        user: str,
        name: str,
        scope: list[str] | None,
        expires: timedelta | None,
        rate: str,
        address: list[str],
        create_user: bool,
        service: bool,
        quiet: bool,
        **options: Any,
    ) -> None:
        scopes = None if scope is None else [permission_name(codename) for codename in scope]
        try:
            owner = find_user(user, create=create_user, is_service=service)
            key, token = ApiKey.mint(
                owner, name.strip(), scopes=scopes, lifetime=expires, rate=rate, addresses=address
            )
        except ValidationError as error:
            problems = (f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
            raise CommandError("\n".join(problems)) from None
        if quiet:
            self.stdout.write(token.value)
            return
        until = f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "without end"
        self.stdout.write(
            f"API key {key.prefix} for {owner}, valid {until}. It is shown this once:\n\n{token.value}\n"
        )


def lifetime(text: str) -> timedelta | None:
    try:
        return None if text == NEVER else parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}, or {NEVER}") from None


def find_user(username: str, *, create: bool, is_service: bool) -> User:
    user = User.objects.filter(username=username).first()
    if user is not None:
        if not user.is_active:
            raise CommandError(f"{username} is not active, so a key for that user would not work.")
        return user
    if not create:
        raise CommandError(f"There is no user {username!r}. Add --create-user to make a member of that name.")
    user = User(username=username, is_service=is_service)
    user.set_unusable_password()
    user.full_clean(exclude=["password"])
    user.save()
    user.groups.add(Group.objects.get_or_create(name=MEMBERS)[0])
    return user


def permission_name(codename: str) -> str:
    """`app_label.codename` for what was typed, with or without the label."""
    label, _, bare = codename.rpartition(".")
    found = Permission.objects.filter(codename=bare).select_related("content_type")
    if label:
        found = found.filter(content_type__app_label=label)
    names = sorted({f"{permission.content_type.app_label}.{permission.codename}" for permission in found})
    if not names:
        raise CommandError(f"There is no permission {codename!r}. `manage.py tools` lists those of the tools.")
    if len(names) > 1:
        raise CommandError(f"{codename!r} is several permissions; say which: {', '.join(names)}")
    return names[0]
