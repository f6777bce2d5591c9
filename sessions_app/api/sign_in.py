"""A name and a password, for whichever credential is made of them."""

import unicodedata
from collections.abc import Callable

from django.contrib.auth import authenticate
from rest_framework.request import Request

from sessions_app.addresses import address_of
from sessions_app.exceptions import SignInFailed, Unauthenticated
from sessions_app.models import User
from sessions_app.models.sign_in import SignIn
from sessions_app.tokens import Token

from .strict import StrictSerializer, Text

LONGEST_PASSWORD = 1000


class SignInSerializer(StrictSerializer):
    username = Text(max_length=150, write_only=True)
    password = Text(max_length=LONGEST_PASSWORD, write_only=True, style={"input_type": "password"})

    def validate_username(self, username: str) -> str:
        """As Django's forms do."""
        return unicodedata.normalize("NFKC", username)


def signed_in[C: SignIn](request: Request, make: Callable[..., tuple[C, Token]]) -> tuple[C, Token]:
    """What `make` makes for whoever the body names, and its secret. Raises: SignInFailed, RateLimited, Crowded."""
    wanted = SignInSerializer(data=request.data)
    wanted.is_valid(raise_exception=True)
    user = authenticate(request._request, **wanted.validated_data)
    if not isinstance(user, User):
        raise SignInFailed
    details = {"ip": address_of(request), "user_agent": request.headers.get("user-agent", "")}
    try:
        return make(user, **details)
    except Unauthenticated:  # the password was changed in this very moment
        raise SignInFailed from None
