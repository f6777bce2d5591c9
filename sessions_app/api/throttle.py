from collections.abc import Sequence
from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from sessions_app.addresses import address_of, network_of
from sessions_app.admission import refuse
from sessions_app.limits import API, Bucket
from sessions_app.principal import Principal
from sessions_app.state import state

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this


class ApiThrottle(BaseThrottle):
    """Counts REST requests like all others of the caller, and by a limit of their own. Raises: RateLimited."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        refuse(state.take(buckets_of(request)))
        return True


class LookThrottle(BaseThrottle):
    """For what tells how far limits are used up: it has to answer then, too."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        refuse(state.take(buckets_of(request)[-1:]))
        return True


def buckets_of(request: Request) -> Sequence[Bucket]:
    """Of whoever has not signed in: his address's."""
    if isinstance(request.auth, Principal):
        return (*request.auth.buckets, Bucket(API, request.auth.owner))
    return (Bucket(API, network_of(address_of(request))),)
