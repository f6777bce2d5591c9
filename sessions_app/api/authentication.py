"""Who calls: the same credentials as at `/mcp`, in the same headers; or whoever is signed in to the admin.

A header decides alone: a bad one is never made good by a cookie, and a good one needs none.
"""

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from sessions_app.addresses import address_of, network_of
from sessions_app.admission import refuse
from sessions_app.credentials import CREDENTIAL_HEADERS, browser, identify, only_secret
from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt.key_set import KeysMissing
from sessions_app.limits import BAD_CREDENTIAL, Bucket
from sessions_app.models import User
from sessions_app.principal import Principal
from sessions_app.state import state

CHALLENGE = 'Bearer realm="concierge"'


class CredentialAuthentication(BaseAuthentication):
    """In a header. Raises: Refused (400) for two, Unauthenticated, RateLimited for too many bad ones."""

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not any(name in headers for name in CREDENTIAL_HEADERS):
            return None
        try:
            principal = identified(only_secret(headers), address_of(request))
            return owner_of(principal), principal
        except Unauthenticated:
            suspect(request)
            raise

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BrowserAuthentication(SessionAuthentication):
    """The admin's cookie, for pages of ours: with the CSRF token for whatever changes something."""

    def authenticate(self, request: Request) -> tuple[User, Principal] | None:
        found = super().authenticate(request)
        if found is None or not isinstance(found[0], User):
            return None
        user = found[0]
        return user, browser.principal(user, request.session.session_key or "")


def identified(secret: str, address: str | None) -> Principal:
    """Waits once, for a few seconds at most, where an outside issuer's keys have to be fetched first."""
    try:
        return identify(secret, address)
    except KeysMissing as missing:
        missing.wait()
        return identify(secret, address)


def owner_of(principal: Principal) -> User:
    user = User.objects.filter(pk=principal.user_id).first()
    if user is None:
        raise Unauthenticated("its user is gone")
    return user


def suspect(request: Request) -> None:
    """Count a bad one. Raises: RateLimited."""
    refuse(state.take([Bucket(BAD_CREDENTIAL, network_of(address_of(request)))]))


def user_of(request: Request) -> User:
    """The same."""
    assert isinstance(request.user, User)  # noqa: S101
    return request.user


def principal_of(request: Request) -> Principal:
    """Whoever `IsAuthenticated` let in."""
    assert isinstance(request.auth, Principal)  # noqa: S101 (both of the above do)
    return request.auth
