"""What a caller did lately, and what is left of each limit that counts it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Count, DateTimeField, Q, QuerySet, Sum
from django.db.models.functions import TruncHour
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from sessions_app.api.authentication import principal_of
from sessions_app.api.paging import Pages
from sessions_app.api.throttle import LookThrottle, buckets_of
from sessions_app.api.view import PAGED, ApiView
from sessions_app.limits import Bucket
from sessions_app.principal import Principal
from sessions_app.state import state

from .models import ToolCall, ToolPolicy
from .policies import buckets_at
from .recorder import FAILURES
from .registry import registry

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


def calls_of(principal: Principal) -> QuerySet[ToolCall, Any]:
    since = timezone.now().replace(minute=0, second=0, microsecond=0) - LATELY
    calls = ToolCall.objects.filter(user_id=principal.account, started_at__gte=since)
    if principal.is_narrowed:
        calls = calls.filter(credential=principal.credential)
    by_hour = calls.annotate(hour=TruncHour("started_at", output_field=DateTimeField())).values("hour", "name")
    return by_hour.annotate(
        calls=Count("pk"), errors=Count("pk", filter=Q(outcome__in=FAILURES)), total_ms=Sum("duration_ms")
    )


def limits_of(request: Request) -> list[dict[str, Any]]:
    """Those of all requests, and of the tools that the caller may use."""
    tools = dict.fromkeys(buckets_of(request)) | dict(tool_limits(principal_of(request)))
    return [
        {
            "limit": usage.bucket.limit.name,
            "tool": tools[usage.bucket],
            "rate": usage.bucket.limit.rate,
            "remaining": usage.remaining,
            "resets_after": usage.resets_after,
        }
        for usage in state.usage_now(list(tools))
    ]


def tool_limits(principal: Principal) -> Iterator[tuple[Bucket, str]]:
    """A limit must not tell that there is a hidden tool."""
    rates = ToolPolicy.rates()
    for tool in registry.tools.values():
        if tool.is_open_to(principal):
            for bucket in buckets_at(rates.get(tool.name, ""), tool, principal):
                yield bucket, tool.name
