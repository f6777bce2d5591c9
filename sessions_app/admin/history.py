"""What happened is read, filtered and searched, never changed."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from sessions_app.unfolded import ModelAdmin

from .whole_words import WholeWords


class ReadOnly(ModelAdmin):
    """Nobody adds, changes or deletes; not a superuser either."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(LogEntry)
class LogEntryAdmin(WholeWords, ReadOnly):
    """Who did what in the admin. Whoever is in it is deactivated, not deleted: the entries would go too."""

    list_display = ("action_time", "user", "content_type", "what")
    list_filter = ("action_flag", "action_time")
    ordering = ("-id",)
    list_select_related = ("user", "content_type")
    search_fields = ("user__username", "object_repr")
    search_help_text = "A whole user name, or the whole name of what was changed."
    fields = ("action_time", "user", "content_type", "object_id", "what")

    @admin.display(description="what")
    def what(self, entry: LogEntry) -> str:
        return str(entry)


def link(model: type[Model], pk: int | None, text: str) -> str:
    """To the page of what may be gone."""
    if pk is None:
        return text or "—"
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
    return format_html('<a href="{}">{}</a>', page, text)
