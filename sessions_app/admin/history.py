"""What happened is read, filtered and searched, never changed."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Nobody adds, changes or deletes; not a superuser either."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly):
    """Who did what in the admin. Whoever is in it is deactivated, not deleted: the entries would go too."""

    list_display = ("action_time", "user", "content_type", "what")
    list_filter = ("action_flag", "action_time")
    list_select_related = ("user", "content_type")
    search_fields = ("=user__username", "object_repr")
    fields = ("action_time", "user", "content_type", "object_id", "what")

    @admin.display(description="what")
    def what(self, entry: LogEntry) -> str:
        return str(entry)
