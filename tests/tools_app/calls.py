"""Rows of the record, as tests want them."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from tools_app.models import ToolCall

HOSTILE = "=cmd|' /C calc'!A0\r\n2026-11-22 CRITICAL forged\x1b[31m\u202e<script>alert(1)</script>"
SPELLED_OUT = HOSTILE.encode("unicode_escape").decode()


def make_call(ago: timedelta = timedelta(0), **details: Any) -> ToolCall:
    """alice's, with nothing special about it but the details."""
    usual: dict[str, Any] = {
        "kind": "tool", "name": "echo", "outcome": "ok", "arguments_digest": "0" * 32, "arguments_size": 2,
        "user_id": 1, "username": "alice", "credential": "api-key:1", "session_id": 1, "client_name": "pytest",
        "client_version": "1", "ip": "127.0.0.1", "started_at": timezone.now() - ago, "duration_ms": 1.25,
    }  # fmt: skip
    return ToolCall.objects.create(**{**usual, **details})


def make_calls(number: int) -> None:
    """All of one moment, of which the newest is the one that was written last."""
    first = make_call()
    columns = ", ".join(str(field.column) for field in ToolCall._meta.fields[1:])
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {number})"
            f" INSERT INTO tools_tool_call ({columns}) SELECT {columns} FROM tools_tool_call, numbers"
            f" WHERE id = {first.pk}"
        )
