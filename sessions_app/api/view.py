"""What every view below `/api/` has in common."""

from typing import Any

from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sessions_app.exceptions import Refused

from .authentication import principal_of

PAGED = frozenset({"limit", "cursor"})


class ApiView(APIView):
    """For whoever is known, unless it says otherwise; strict in what the URL and the body may hold."""

    queries: frozenset[str] = frozenset()
    """What may be in the query string."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.check_shape(request)

    def check_shape(self, request: Request) -> None:
        """Raises: Refused."""
        if unknown := set(request.query_params) - self.queries:
            known = ", ".join(sorted(self.queries)) or "none"
            raise Refused(f"{len(unknown)} unknown query parameters. Known: {known}.")
        if any(len(values) > 1 for _, values in request.query_params.lists()):
            raise Refused("A query parameter appears more than once.")
        if request.method not in ("POST", "PUT") and int(request.META.get("CONTENT_LENGTH") or 0):
            raise Refused(f"{request.method} takes no body.")

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are, in `Allow`, and nothing else."""
        return Response(status=204)


class PublicView(ApiView):
    """For everybody: what a header or a cookie says does not matter, and is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class IsWhole(BasePermission):
    """Not for a narrowed credential."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if principal_of(request).is_narrowed:
            raise PermissionDenied("This credential is narrowed; this takes one that is not.")
        return True


class NothingHere(ApiView):
    """Every other path below `/api/`: as little to be seen without a credential as anywhere."""

    schema = None

    def check_shape(self, request: Request) -> None:
        raise NotFound


def flag(request: Request, name: str) -> bool:
    """A query parameter that is 1 or 0, or absent."""
    value = request.query_params.get(name, "0")
    if value not in ("0", "1"):
        raise ValidationError({name: ["1 or 0."]})
    return value == "1"
