from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.models import SessionToken

from .authentication import principal_of
from .revoking import RevocableView
from .sign_in import SignInSerializer, signed_in
from .view import PAGED, ApiView


class SessionTokenSerializer(serializers.ModelSerializer[SessionToken]):
    class Meta:
        model = SessionToken
        fields = (
            "id", "name", "prefix", "last_four", "created_at", "expires_at", "idle_expires_at", "last_used_at",
            "ip", "user_agent",
        )  # fmt: skip
        read_only_fields = fields


class NewSessionTokenSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(read_only=True)
    token = serializers.CharField(read_only=True, help_text="Shown this once.")
    expires_at = serializers.DateTimeField(read_only=True)


@extend_schema_view(get=extend_schema(summary="Your session tokens", description="Without their secrets."))
class SessionTokensView(ApiView, ListAPIView):  # type: ignore[type-arg]  # generic in the stubs only
    queries = PAGED
    serializer_class = SessionTokenSerializer
    queryset = SessionToken.objects.none()
    paged_by = ("-pk",)

    def get_queryset(self) -> QuerySet[SessionToken]:
        return SessionToken.objects.valid().open_to(principal_of(self.request))

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [] if self.is_sign_in else super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        return [AllowAny()] if self.is_sign_in else super().get_permissions()

    @property
    def is_sign_in(self) -> bool:
        """That is for whoever is not known yet, whatever he sends besides."""
        return getattr(self.request, "method", None) == "POST"

    @extend_schema(
        operation_id="session_tokens_create", request=SignInSerializer, responses={201: NewSessionTokenSerializer}
    )
    def post(self, request: Request) -> Response:
        """Sign in for a session token"""
        row, token = signed_in(request, SessionToken.mint)
        return Response({"id": row.pk, "token": token.value, "expires_at": row.expires_at}, status=201)


@extend_schema_view(delete=extend_schema(summary="Revoke one of your session tokens"))
class SessionTokenView(RevocableView):
    model = SessionToken
