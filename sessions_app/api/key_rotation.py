import logging
from datetime import timedelta

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.exceptions import Refused, RotationRefused
from sessions_app.models import ApiKey
from sessions_app.models.api_key import LONGEST_OVERLAP, OVERLAP

from .authentication import principal_of, user_of
from .held import hold_still
from .keys import ApiKeySerializer, NewApiKeySerializer
from .strict import StrictSerializer
from .view import ApiView

logger = logging.getLogger(__name__)

HOUR = timedelta(hours=1)


class RotationSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        required=False,
        default=OVERLAP // HOUR,
        min_value=0,
        max_value=LONGEST_OVERLAP // HOUR,
        help_text="How long the secret before is good for yet. 0: no longer.",
    )


class RotatedKeyView(ApiView):
    @extend_schema(operation_id="keys_rotate", request=RotationSerializer, responses={200: NewApiKeySerializer})
    def post(self, request: Request, id: int) -> Response:
        """Give one of your API keys a new secret

        It stays the same key, with its sessions. For `overlap_hours` both secrets open it; meanwhile it is not
        rotated again (409), but without an overlap. A key rotates no key but itself.
        """
        wanted = RotationSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        key = ApiKey.objects.valid().open_to(principal_of(request)).filter(pk=id).first()
        if key is None:
            raise NotFound
        try:
            secret = self.rotated(request, key, wanted.validated_data["overlap_hours"] * HOUR)
        except RotationRefused as refusal:
            raise Refused(str(refusal), status=409) from None
        return Response({**ApiKeySerializer(key).data, "secret": secret})

    @transaction.atomic
    def rotated(self, request: Request, key: ApiKey, overlap: timedelta) -> str:
        """Raises: PermissionDenied, Unauthenticated, RotationRefused."""
        user, principal = user_of(request), principal_of(request)
        held = user.find_credential(principal.credential)
        if isinstance(held, ApiKey) and held.pk != key.pk:
            raise PermissionDenied("another key may last longer, or be taken from elsewhere")
        hold_still(user, held)
        token = key.rotate(overlap)
        logger.info("User %s rotated API key %s with %s", user, key.prefix, principal.credential)
        return token.value
