from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Prefetch
from django.http import HttpRequest

from sessions_app.models import Session, SessionToken, TokenFamily, User

from .group import WITH_CONTENT_TYPE
from .people import AboutPeople

PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(AboutPeople, DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ("username", "email", "group_names", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    fieldsets = (
        # Whether there is a password, instead of parts of its digest.
        (None, {"fields": ("username", "has_password", "is_active")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email")}),
        ("Privileges", {"fields": PRIVILEGES}),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )

    def owner_id(self, obj: Any) -> int:
        user_id: int = obj.pk
        return user_id

    def get_queryset(self, request: HttpRequest) -> Any:
        permissions = Prefetch("user_permissions", WITH_CONTENT_TYPE)
        return super().get_queryset(request).prefetch_related("groups", permissions)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Privileges are given by superusers: whoever may give them could give himself all. And by others than
        oneself: so there is always a superuser left."""
        shown = ("has_password", "last_login", "date_joined")
        if obj is not None and obj.pk == request.user.pk:
            return (*shown, "is_active", *PRIVILEGES)
        return shown if request.user.is_superuser else (*shown, *PRIVILEGES)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_self = obj is not None and obj.pk == request.user.pk
        return not is_self and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Sessions and tokens are history, but their user's, and go with him. What an operator did stays,
        and keeps him.
        """
        nested, counts, lacking, protected = super().get_deleted_objects(objs, request)
        history = {model._meta.verbose_name for model in (Session, SessionToken, TokenFamily)}
        return nested, counts, lacking - history, protected

    @admin.display(description="groups")
    def group_names(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    @admin.display(description="password", boolean=True)
    def has_password(self, user: User) -> bool:
        return user.has_usable_password()
