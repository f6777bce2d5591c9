"""What a caller did lately, and what is left of each limit that counts it."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.api.authentication import principal_of
from sessions_app.api.paging import Pages
from sessions_app.api.throttle import LookThrottle, buckets_of
from sessions_app.api.view import PAGED, ApiView
from sessions_app.principal import Principal

from .models import ToolCall
from .usage import left_of

LATELY = timedelta(hours=23)
"""Before the hour that is now: a day in all."""


class LimitSerializer(serializers.Serializer[Any]):
    limit = serializers.CharField(help_text="Its name.")
    tool = serializers.CharField(allow_null=True, help_text="The tool that it is about. Null: all requests.")
    rate = serializers.CharField(help_text="Such as 100/h.")
    remaining = serializers.IntegerField(help_text="Requests that would be let in now.")
    resets_after = serializers.FloatField(help_text="Seconds until the oldest that counts does not any more.")


class CallsSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The tool, prompt or resource.")
    hour = serializers.DateTimeField(help_text="When it began.")
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # a field, not what is wrong with one
    total_ms = serializers.FloatField()


class UsageSerializer(serializers.Serializer[Any]):
    limits = LimitSerializer(many=True)
    results = CallsSerializer(many=True, help_text="Newest first.")
    next = serializers.CharField(allow_null=True, help_text="The next page's `cursor`; null: this is the last.")


class UsageView(ApiView):
    queries = PAGED
    paged_by = ("-hour", "name")
    pagination_class = Pages
    throttle_classes = (LookThrottle,)

    @extend_schema(responses=UsageSerializer, parameters=Pages.PARAMETERS)
    def get(self, request: Request) -> Response:
        """Your calls of the last 24 hours, and what is left of your limits

        With a narrowed credential, the calls that were made with it.
        """
        pages = Pages()
        calls = pages.paginate_queryset(calls_of(principal_of(request)), request, view=self)
        found = {"limits": limits_of(request), "results": calls, "next": pages.next}
        return Response(UsageSerializer(found).data)


def calls_of(principal: Principal) -> Any:
    since = timezone.now().replace(minute=0, second=0, microsecond=0) - LATELY
    return ToolCall.objects.of_caller(principal).since(since).per("hour", "name")


def limits_of(request: Request) -> list[dict[str, Any]]:
    """Those of all requests, and of the tools that the caller may use."""
    return left_of(buckets_of(request), principal_of(request))
