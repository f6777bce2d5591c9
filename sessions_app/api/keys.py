import logging
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError as Invalid
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.addresses import are_within
from sessions_app.models import ApiKey, User
from sessions_app.models.api_key import DEFAULT_LIFETIME, MOST_ADDRESSES, read_addresses
from sessions_app.principal import Principal
from sessions_app.tokens import Token

from .authentication import principal_of, user_of
from .held import hold_still
from .revoking import RevocableView
from .strict import StrictSerializer, Text
from .view import PAGED, ApiView

logger = logging.getLogger(__name__)

MOST_SCOPES = 1000
MOST_KEYS = 100
"""Valid ones that a user may have before he makes another himself."""
UNSAID: Any = object()


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    scopes = serializers.ListField(
        child=serializers.CharField(), read_only=True, allow_null=True, help_text="Null: it is not narrowed."
    )
    addresses = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Where it works. Empty: from anywhere."
    )

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "id", "name", "prefix", "last_four", "scopes", "addresses", "rate",
            "created_at", "expires_at", "last_used_at", "previous_until",
        )  # fmt: skip
        read_only_fields = fields


class NewApiKeySerializer(ApiKeySerializer):
    secret = serializers.CharField(read_only=True, help_text="The key itself. Shown this once.")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "secret")
        read_only_fields = fields


class WantedKeySerializer(StrictSerializer):
    name = Text(max_length=100, trim_whitespace=True, help_text="What it is for: a machine, a client, a job.")
    scopes = serializers.ListField(
        child=Text(max_length=200),
        required=False,
        allow_null=True,
        max_length=MOST_SCOPES,
        help_text="Permissions to narrow it to, as `app_label.codename` or `codename`; only such as you have.",
    )
    addresses = serializers.ListField(
        child=Text(max_length=100),
        required=False,
        max_length=MOST_ADDRESSES,
        help_text="Networks that it works from, such as `10.0.0.0/8`. Absent: those of this credential.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Absent: in 90 days. Null: never."
    )

    def validate_addresses(self, addresses: list[str]) -> list[str]:
        try:
            return read_addresses(addresses)
        except Invalid as error:
            raise ValidationError(error.messages) from None


class ApiKeyMaker:
    """Makes keys for one caller, no wider than what the caller came with."""

    def __init__(self, user: User, principal: Principal) -> None:
        self._user = user
        self._principal = principal
        self._held = user.find_credential(principal.credential)

    @transaction.atomic
    def make(
        self,
        name: str,
        scopes: list[str] | None = None,
        addresses: list[str] | None = None,
        expires_at: datetime | None = UNSAID,
    ) -> tuple[ApiKey, Token]:
        """The key and its secret. Raises: ValidationError, Unauthenticated."""
        hold_still(self._user, self._held)
        if self._user.api_keys.valid().count() >= MOST_KEYS:
            raise ValidationError(f"You have {MOST_KEYS} keys; revoke one first.")
        key = ApiKey(user=self._user, name=name, rate=getattr(self._held, "rate", ""))
        key.scopes, key.expires_at = self._narrowed(scopes), self._ended(expires_at)
        key.addresses = self._nearby(addresses)
        token = key.give_secret()
        key.save(force_insert=True)
        logger.info("User %s made API key %s with %s", self._user, key.prefix, self._principal.credential)
        return key, token

    def _narrowed(self, scopes: list[str] | None) -> list[str] | None:
        """By their whole names. What there is not and what the caller lacks get the same answer."""
        if scopes is None:
            return sorted(self._principal.permissions) if self._principal.is_narrowed else None
        names = {name.partition(".")[2]: name for name in sorted(self._principal.permissions)}
        names |= {name: name for name in self._principal.permissions}
        if not set(scopes) <= set(names):
            raise ValidationError({"scopes": ["Only permissions that you have with this credential."]})
        return sorted({names[scope] for scope in scopes})

    def _nearby(self, addresses: list[str] | None) -> list[str]:
        """Not from elsewhere than the key that it is made with."""
        networks = self._principal.addresses
        if addresses is None:
            return list(networks)
        if networks and not (addresses and are_within(tuple(addresses), networks)):
            raise ValidationError({"addresses": ["Only networks that this credential may come from."]})
        return addresses

    def _ended(self, expires_at: datetime | None) -> datetime | None:
        """Not after the key that it is made with: a key that leaks must not outlive itself."""
        last = self._held.expires_at if isinstance(self._held, ApiKey) else None
        if expires_at is UNSAID:
            usual = timezone.now() + DEFAULT_LIFETIME
            return usual if last is None else min(usual, last)
        if expires_at is not None and expires_at <= timezone.now():
            raise ValidationError({"expires_at": ["That is in the past."]})
        if last is not None and (expires_at is None or expires_at > last):
            raise ValidationError({"expires_at": ["A key cannot make one that outlives it."]})
        return expires_at


@extend_schema_view(get=extend_schema(summary="Your API keys", description="Without their secrets."))
class ApiKeysView(ApiView, ListAPIView):  # type: ignore[type-arg]  # generic in the stubs only
    queries = PAGED
    serializer_class = ApiKeySerializer
    queryset = ApiKey.objects.none()
    paged_by = ("-pk",)

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.valid().open_to(principal_of(self.request))

    @extend_schema(operation_id="keys_create", request=WantedKeySerializer, responses={201: NewApiKeySerializer})
    def post(self, request: Request) -> Response:
        """Make an API key

        It may do no more than the credential that it is made with, and a key makes none that outlives it.
        """
        wanted = WantedKeySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        key, token = ApiKeyMaker(user_of(request), principal_of(request)).make(**wanted.validated_data)
        return Response({**ApiKeySerializer(key).data, "secret": token.value}, status=201)


@extend_schema_view(delete=extend_schema(summary="Revoke one of your API keys"))
class ApiKeyView(RevocableView):
    model = ApiKey
