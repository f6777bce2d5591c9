"""What one looks for in the control room by typing: its pages, and people, keys and rooms by how they begin."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse

from collab_app.models import Room
from sessions_app.models import ApiKey, User
from sessions_app.plain_text import visible

LONGEST = 150
MOST = 5
"""Rows of one kind."""
MOST_FOUND = 100
"""More than there can be."""


@dataclass(frozen=True)
class Found:
    title: str
    description: str
    link: str
    icon: str


ROWS: tuple[tuple[Any, str, str], ...] = (
    (User, "username", "person"),
    (ApiKey, "name", "key"),
    (Room, "public_id", "forum"),
)


def found(site: AdminSite, request: HttpRequest, asked: str) -> list[Found]:
    if not asked or len(asked) > LONGEST or "\x00" in asked:
        return []
    return [*pages(site, request, asked), *rows(site, request, asked)]


def pages(site: AdminSite, request: HttpRequest, asked: str) -> Iterator[Found]:
    for app in site.get_app_list(request):
        for model in app["models"]:
            if asked.casefold() in str(model["name"]).casefold() and model["admin_url"]:
                yield Found(str(model["name"]), str(app["name"]), model["admin_url"], "tag")


def rows(site: AdminSite, request: HttpRequest, asked: str) -> Iterator[Found]:
    """Those that begin with what was typed, a few of each. Users have an index for it; keys and rooms are read."""
    for model, field, icon in ROWS:
        page = site._registry[model]
        if not page.has_view_permission(request):
            continue
        for row in model.objects.filter(**{f"{field}__startswith": asked}).order_by(field)[:MOST]:
            at = reverse(f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
            yield Found(visible(str(row)), str(model._meta.verbose_name).capitalize(), at, icon)
