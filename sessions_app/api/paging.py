"""Lists in pages: `?limit=` (100 at most) and `?cursor=`, which the page before says."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.core import signing
from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

USUAL, MOST = 50, 100
LIMIT = re.compile(r"[1-9][0-9]{0,2}")


class Pages(BasePagination):
    """By where the page before ended, not by its number: what is added or goes meanwhile moves nothing.

    The view says by what its rows are sorted: `paged_by`, of which no two rows have the same.
    """

    PARAMETERS: ClassVar = [
        OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
        OpenApiParameter("cursor", str, description="`next` of the page before."),
    ]

    next: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        by: Sequence[str] = view.paged_by
        limit, salt = limit_of(request), f"cursor/{type(view).__name__}"
        if (cursor := request.query_params.get("cursor")) is not None:
            queryset = queryset.filter(beyond(by, values_of(cursor, salt)))
        rows = list(queryset.order_by(*by)[: limit + 1])
        if len(rows) > limit:
            self.next = signing.dumps([value_of(rows[limit - 1], name) for name in by], salt=salt)
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.next})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """For drf-spectacular."""
        cursor = {
            "type": "string",
            "nullable": True,
            "description": "The next page's `cursor`; null: this is the last.",
        }
        properties = {"results": schema, "next": cursor}
        return {"type": "object", "required": ["results", "next"], "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": "limit", "in": "query", "required": False, "schema": self.PARAMETERS[0].type},
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
        ]


def limit_of(request: Request) -> int:
    text = request.query_params.get("limit", str(USUAL))
    if LIMIT.fullmatch(text) is None or int(text) > MOST:
        raise ValidationError({"limit": [f"A whole number from 1 to {MOST}."]})
    return int(text)


def values_of(cursor: str, salt: str) -> list[Any]:
    """Signed, so that whatever is in it was put there by us."""
    try:
        values: list[Any] = signing.loads(cursor, salt=salt)
    except signing.BadSignature:
        raise ValidationError({"cursor": ["Not a cursor of this list."]}) from None
    return values


def value_of(row: Any, name: str) -> Any:
    name = name.removeprefix("-")
    value = row[name] if isinstance(row, dict) else getattr(row, name)
    return value.isoformat() if isinstance(value, datetime) else value


def beyond(by: Sequence[str], values: Sequence[Any]) -> Q:
    """Of rows sorted by several fields: those after the one that has these values."""
    condition, same = Q(), Q()
    for name, value in zip(by, values, strict=True):
        field = name.removeprefix("-")
        condition |= same & Q(**{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
        same &= Q(**{field: value})
    return condition
