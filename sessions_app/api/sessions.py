from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.models import Session
from sessions_app.principal import Principal

from .authentication import principal_of
from .view import PAGED, ApiView, flag

REVOKE = OpenApiParameter(
    "revoke", int, enum=[0, 1], default=0, description="1: also take the credential, which keeps the client out."
)


class SessionSerializer(serializers.ModelSerializer[Session]):
    """Without its public id: that routes, and only its client needs it."""

    class Meta:
        model = Session
        fields = (
            "id", "label", "credential", "client_name", "client_version", "transport", "protocol_version", "ip",
            "user_agent", "opened_at", "last_activity_at", "expires_at", "calls", "errors", "total_ms",
            "last_call_at",
        )  # fmt: skip
        read_only_fields = fields


def open_to(principal: Principal) -> QuerySet[Session]:
    """Live ones: all of the user's; for a narrowed credential, its own."""
    live = Session.objects.live()
    return live.of(principal) if principal.is_narrowed else live.filter(user_id=principal.user_id)


@extend_schema_view(get=extend_schema(summary="Your live sessions of MCP"))
class SessionsView(ApiView, ListAPIView):  # type: ignore[type-arg]  # generic in the stubs only
    queries = PAGED
    serializer_class = SessionSerializer
    queryset = Session.objects.none()
    paged_by = ("-pk",)

    def get_queryset(self) -> QuerySet[Session]:
        return open_to(principal_of(self.request))


class SessionView(ApiView):
    queries = frozenset({"revoke"})

    @extend_schema(parameters=[REVOKE], request=None, responses={204: None})
    def delete(self, request: Request, id: int) -> Response:
        """End one of your sessions

        Its streams and calls end at once. The client may begin anew, unless its credential goes, too.
        """
        takes_credential, reason = flag(request, "revoke"), f"by {request.user.get_username()}"
        session = open_to(principal_of(request)).select_related("user").filter(pk=id).first()
        if session is None:
            raise NotFound
        if takes_credential:
            session.end_and_revoke(reason)
        else:
            session.end(reason)
        return Response(status=204)
