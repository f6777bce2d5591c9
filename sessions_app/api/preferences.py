from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.models import Preference
from sessions_app.models.preference import PreferenceQuerySet

from .authentication import principal_of
from .strict import StrictSerializer
from .view import PAGED, ApiView, IsWhole

ONLY_WHOLE = (IsAuthenticated, IsWhole)
"""A narrowed credential is for tools, of which one keeps preferences."""


class PreferenceSerializer(serializers.ModelSerializer[Preference]):
    value = serializers.JSONField(read_only=True, help_text="Any JSON value.")

    class Meta:
        model = Preference
        fields = ("key", "value", "updated_at")
        read_only_fields = fields


class ValueSerializer(StrictSerializer):
    value = serializers.JSONField(allow_null=True, help_text="Any JSON value, null included.")


@extend_schema_view(get=extend_schema(summary="Your preferences"))
class PreferencesView(ApiView, ListAPIView):  # type: ignore[type-arg]  # generic in the stubs only
    permission_classes = ONLY_WHOLE
    queries = PAGED
    serializer_class = PreferenceSerializer
    queryset = Preference.objects.none()
    paged_by = ("key",)

    def get_queryset(self) -> QuerySet[Preference]:
        return own(self.request)


class PreferenceView(ApiView):
    permission_classes = ONLY_WHOLE

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\x00" in kwargs["key"]:  # PostgreSQL has none
            raise Http404

    @extend_schema(responses=PreferenceSerializer)
    def get(self, request: Request, key: str) -> Response:
        """One of your preferences"""
        return Response(PreferenceSerializer(existing(request, key)).data)

    @extend_schema(request=ValueSerializer, responses=PreferenceSerializer)
    def put(self, request: Request, key: str) -> Response:
        """Set one of your preferences"""
        wanted = ValueSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        Preference.objects.put(principal_of(request).user_id, key, wanted.validated_data["value"])
        return Response(PreferenceSerializer(existing(request, key)).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, key: str) -> Response:
        """Delete one of your preferences"""
        if not own(request).filter(key=key).delete()[0]:
            raise Http404
        return Response(status=204)


def own(request: Request) -> PreferenceQuerySet:
    return Preference.objects.of(principal_of(request).user_id)


def existing(request: Request, key: str) -> Preference:
    preference = own(request).filter(key=key).first()
    if preference is None:
        raise Http404
    return preference
