"""A link with which somebody chooses a new password: good once, for half an hour.

It is Django's (`PasswordResetTokenGenerator`), made of the account as it is, password and address included,
so using it ends it. One that goes out by mail is made of the account as it is going to be. So it opens nothing
until that is committed, and if the mail fails nothing has happened.
"""

import logging
from copy import copy

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from .exceptions import LinkRefused
from .models import User

logger = logging.getLogger(__name__)


class PasswordLink:
    """Takes the password of `user` away, and lets whoever reads his mail choose another one."""

    def __init__(self, user: User) -> None:
        self._password = make_password(None)
        self._user = copy(user)
        self._user.password = self._password
        self._token = default_token_generator.make_token(self._user)

    def send(self) -> None:
        """To the account's address. Raises: LinkRefused, when nothing has changed."""
        minutes = settings.PASSWORD_RESET_TIMEOUT // 60
        about = {"user": self._user, "url": url_of(self._user, self._token), "minutes": minutes}
        text = render_to_string("sessions_app/password_link.txt", about)
        mail = EmailMessage("Choose a new password", text, to=[self._user.email])
        try:
            mail.send()
        except (OSError, ValueError) as error:  # smtplib's are some of these; an address that is none is the other
            logger.warning("The mail with a link for user %s was not sent: %s", self._user.pk, error)
            raise LinkRefused("The mail could not be sent, so nothing was changed.") from None

    def apply(self, user: User, reason: str) -> None:
        """In the transaction that makes it valid; `user` is locked, and as he is now. Raises: LinkRefused."""
        user.take_password(self._password, reason)
        if not default_token_generator.check_token(user, self._token):
            raise LinkRefused("The account changed meanwhile, so nothing was done. The mailed link opens nothing.")


def url_of(user: User, token: str) -> str:
    path = reverse("password_reset_confirm", args=[urlsafe_base64_encode(force_bytes(user.pk)), token])
    return f"{settings.CONFIG.origin}{path}"


def link_for(user: User) -> str:
    """For who shows it himself: made of the account as it is."""
    return url_of(user, default_token_generator.make_token(user))


def masked(address: str) -> str:
    """`a***@example.com`: enough to know which one it is."""
    name, _, host = address.rpartition("@")
    return f"{name[:1]}***@{host}"
