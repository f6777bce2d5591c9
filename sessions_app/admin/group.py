from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Count, Prefetch, QuerySet
from django.http import HttpRequest

from sessions_app.unfolded import ModelAdmin

# A permission's name has its content type in it: read with it, not one by one.
WITH_CONTENT_TYPE = Permission.objects.select_related("content_type")

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(ModelAdmin, DjangoGroupAdmin):
    """Groups carry privileges, and those are given by superusers: a member could give himself all."""

    list_display = ("name", "members")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(members=Count("user")).prefetch_related(Prefetch("permissions", WITH_CONTENT_TYPE))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request) and super().has_delete_permission(request, obj)

    @admin.display(description="members", ordering="members")
    def members(self, group: Any) -> int:
        members: int = group.members
        return members


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)
