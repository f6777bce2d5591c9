from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions_app.models import ApiKey, SessionToken, TokenFamily
from sessions_app.models.credential import Credential

KINDS: tuple[type[Credential], ...] = (ApiKey, SessionToken, TokenFamily)


class Command(BaseCommand):
    help = (
        "Revoke a credential by the prefix that lists and logs show: an API key (cgk_…), a session token (cgs_…)"
        " or all tokens that came of one sign-in (cgf_…). It stops working within a second, and its streams end."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "prefix",
            help="Such as cgk_Ab12Cd34Ef56. A whole secret that leaked does, too, a refresh token included.",
        )
        parser.add_argument("--reason", default="", help="Kept with it for other operators to read.")

        parser.add_argument("--tell", default="", help="What its holder is told from now on, if he shows it.")

    def handle(self, *args: Any, prefix: str, reason: str, tell: str, **options: Any) -> None:
        found = [row for kind in KINDS for row in kind.objects.by_prefix(prefix).select_related("user")]
        if not found:
            # What was typed is not repeated: it may be a whole secret of another server.
            raise CommandError("There is no API key, session token or token family with that prefix.")
        for credential in found:
            self.revoke(credential, reason, tell)

    def revoke(self, credential: Credential, reason: str, tell: str) -> None:
        if not credential.revoke(f"with manage.py revoke: {reason}".removesuffix(": "), tell):
            raise CommandError(
                f"{credential} of {credential.user} was revoked already,"
                f" on {credential.revoked_at:%Y-%m-%d %H:%M} UTC."
            )
        if type(credential).objects.valid().filter(pk=credential.pk).exists():
            raise CommandError(f"{credential} of {credential.user} still works. Try again.")
        self.stdout.write(f"Revoked {credential} of {credential.user}.")
