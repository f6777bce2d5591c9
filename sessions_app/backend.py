"""Django's authentication backend of this project: every door that takes a password comes through here."""

from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from .addresses import address_of, network_of
from .exceptions import Crowded
from .models import User
from .sign_in_attempt import SignInAttempt

PATIENCE = 5.0
"""Seconds to wait until others have been hashed."""
# A hash takes a core for a third of a second, and each web request has a thread of its own: without this, whoever
# sends names and passwords by the hundred would take the cores from everybody else.
hashing = BoundedSemaphore(2)


class SignInBackend(ModelBackend):
    """Django's own, which hashes once whatever comes: behind limits on what fails."""

    def user_can_authenticate(self, user: Any) -> bool:
        """Also asked of whoever signed in before, with each request."""
        return super().user_can_authenticate(user) and not user.is_service

    @sensitive_variables("password")
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Raises: RateLimited, Crowded; with neither has anything been hashed."""
        if username is None or password is None:
            return None
        attempt = SignInAttempt(username, network_of(None if request is None else address_of(request)))
        if not hashing.acquire(timeout=PATIENCE):
            raise Crowded(PATIENCE)
        try:
            attempt.begin()
            user = super().authenticate(request, username, password)
        finally:
            hashing.release()
        if not isinstance(user, User):
            return None
        attempt.succeeded(user)
        return user
