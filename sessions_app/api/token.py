"""JWTs of ours: a pair for a password, the next pair for the refresh token, and the end of both."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app import tokens
from sessions_app.exceptions import Unauthenticated
from sessions_app.jwt import own
from sessions_app.models import RefreshToken, TokenFamily

from .authentication import suspect
from .sign_in import SignInSerializer, signed_in
from .strict import StrictSerializer, Text
from .view import PublicView

LONGEST = 8 * 1024
"""An access token that is sent by mistake is as wrong as any other."""


class PairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(read_only=True, help_text="A JWT; send it as `Authorization: Bearer`.")
    refresh = serializers.CharField(read_only=True, help_text="Works once, for the next pair.")
    expires_in = serializers.IntegerField(read_only=True, help_text="Seconds that `access` lasts.")


class RefreshSerializer(StrictSerializer):
    refresh = Text(max_length=LONGEST, write_only=True)


def pair(family: TokenFamily, refresh: tokens.Token) -> Response:
    return Response({"access": own.issue(family), "refresh": refresh.value, "expires_in": own.LIFETIME})


class TokenView(PublicView):
    @extend_schema(operation_id="token_create", request=SignInSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Sign in for a pair of tokens"""
        return pair(*signed_in(request, TokenFamily.open))


class RefreshView(PublicView):
    @extend_schema(operation_id="token_refresh", request=RefreshSerializer, responses=PairSerializer)
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for the next pair

        It works once. When a used one is shown again, all that came of the same sign-in ends.
        """
        try:
            return pair(*RefreshToken.objects.redeem(shown_to(request)))
        except Unauthenticated:
            suspect(request)
            raise


class RevokeView(PublicView):
    @extend_schema(operation_id="token_revoke", request=RefreshSerializer, responses={200: None})
    def post(self, request: Request) -> Response:
        """End a sign-in by its refresh token

        The answer is the same for a token that is unknown or over (RFC 7009, section 2.2).
        """
        token = tokens.parse(shown_to(request))
        if token is not None and token.prefix == tokens.REFRESH_TOKEN:
            TokenFamily.objects.by_prefix(token.value).revoke("by its owner, with the refresh token")
        return Response(status=200)


def shown_to(request: Request) -> str:
    wanted = RefreshSerializer(data=request.data)
    wanted.is_valid(raise_exception=True)
    refresh: str = wanted.validated_data["refresh"]
    return refresh
