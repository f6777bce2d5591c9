"""What operators decide about tools, as functions for a pool's thread."""

from collections.abc import Callable
from typing import Any

from django.db import connection

from tools_app.models import ToolPolicy

Change = Callable[[], object]


def decide(tool: str, **decisions: Any) -> Change:
    return lambda: ToolPolicy.objects.update_or_create(tool=tool, defaults=decisions)


def off(tool: str) -> Change:
    return decide(tool, is_on=False)


def on(tool: str) -> Change:
    return decide(tool, is_on=True)


def behind_our_back(tool: str) -> Change:
    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM tools_tool_policy WHERE tool = %s", [tool])
            cursor.execute("INSERT INTO tools_tool_policy (tool, rate, is_on) VALUES (%s, '', %s)", [tool, False])

    return write
