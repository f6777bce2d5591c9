from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.http import require_POST

from sessions_app.models import Session, SessionToken, TokenFamily, User
from sessions_app.password_link import link_for

from .group import WITH_CONTENT_TYPE
from .people import AboutPeople

PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(AboutPeople, DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    list_display = ("username", "email", "group_names", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    fieldsets = (
        # Whether there is a password, instead of parts of its digest.
        (None, {"fields": ("username", "has_password", "waiting_link", "is_active")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email")}),
        ("Privileges", {"fields": PRIVILEGES}),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.show_link))
        return [path("<int:pk>/password-link/", view, name="sessions_app_user_link"), *super().get_urls()]

    def show_link(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The one page that ever shows it. It is made here, so it is kept nowhere."""
        user = get_object_or_404(User, pk=pk)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if not user.take_link():
            messages.error(request, f"There is no link to be shown for {user} any more.")
            return redirect("admin:sessions_app_user_change", pk)
        self.log_change(request, user, "Was shown the link to choose a new password.")
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "A new password"}
        about = {"user_": user, "link": link_for(user), "minutes": settings.PASSWORD_RESET_TIMEOUT // 60}
        page = TemplateResponse(request, "admin/sessions_app/user/link.html", {**context, **about})
        page["Cache-Control"] = "no-store"
        return page

    @admin.display(description="link to choose a password")
    def waiting_link(self, user: User) -> str:
        return "waits to be shown, once" if user.has_waiting_link else "—"

    def owner_id(self, obj: Any) -> int:
        user_id: int = obj.pk
        return user_id

    def get_queryset(self, request: HttpRequest) -> Any:
        permissions = Prefetch("user_permissions", WITH_CONTENT_TYPE)
        return super().get_queryset(request).prefetch_related("groups", permissions)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Privileges are given by superusers: whoever may give them could give himself all. And by others than
        oneself: so there is always a superuser left."""
        shown = ("has_password", "waiting_link", "last_login", "date_joined")
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
