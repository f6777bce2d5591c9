"""What an operator sees first: how the server does. Each part is for who may look at what it is made of."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from project.pages.hours import Chart, drawing
from project.pages.overview import Calls, Overview
from tools_app.models.hour import UNKNOWN

NEEDS: Mapping[str, str] = {
    "calls": "tools_app.view_toolcall",
    "names": "tools_app.view_toolcall",
    "users": "tools_app.view_toolcall",
    "refused": "tools_app.view_toolcall",
    "sessions": "sessions_app.view_session",
    "expiring": "sessions_app.view_apikey",
    "near_limits": "sessions_app.view_user",
}
"""What one must be allowed to look at. The rest is about the machines, and any operator's."""


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold asks for the page that the control room begins with (`DASHBOARD_CALLBACK`)."""
    overview = Overview.now()
    shown = {part: needed for part, needed in NEEDS.items() if not request.user.has_perm(needed)}
    parts = {field.name: getattr(overview, field.name) for field in fields(overview) if field.name not in shown}
    return {
        **context,
        **parts,
        "hidden": shown,
        "sockets": overview.sockets,
        "unknown": UNKNOWN,
        "chart": chart_of(parts.get("calls")),
        "title": admin.site.index_title,
    }


def chart_of(calls: Calls | None) -> Chart | None:
    return None if calls is None else drawing((hour.began_at, hour.calls, hour.errors) for hour in calls.hours)
