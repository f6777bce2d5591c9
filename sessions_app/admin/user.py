from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.http import require_POST

from sessions_app.models import User
from sessions_app.password_link import link_for
from sessions_app.permissions import MEMBERS
from sessions_app.unfolded import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from .asking import reason_of
from .group import WITH_CONTENT_TYPE
from .noted import Noted
from .part import moment
from .people import AboutPeople
from .usage import usage_of
from .user_actions import UserActions
from .user_parts import PARTS

PRIVILEGES = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(Noted, UserActions, AboutPeople, DjangoUserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    form = UserChangeForm
    add_form = UserCreationForm
    add_fieldsets = DjangoUserAdmin.add_fieldsets  # Unfold has some of its own: none
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "group_names", "status", "is_staff", "is_superuser", "last_seen")
    list_filter = ("is_active", "is_service", "is_staff", "is_superuser", "groups")
    actions = ("deactivate", "end_everything", "reset_password")
    fieldsets = (
        # Whether there is a password, instead of parts of its digest.
        (None, {"fields": ("username", "role", "has_password", "waiting_link", "is_active", "is_service")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email")}),
        ("Privileges", {"fields": PRIVILEGES}),
        ("Important dates", {"fields": ("last_seen", "last_login", "date_joined")}),
        ("Usage", {"fields": ("usage",)}),
    )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.show_link))
        return [path("<int:pk>/password-link/", view, name="sessions_app_user_link"), *super().get_urls()]

    def show_link(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The one page that ever shows it. It is made here, so it is kept nowhere."""
        if not self.has_change_permission(request):  # who may not is not told who there is
            raise PermissionDenied
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

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """A new one begins as a member, as with `createkey --create-user`; but nobody gives what he may not."""
        super().save_related(request, form, formsets, change)
        if change:
            return
        members = Group.objects.filter(name=MEMBERS).first()
        if members is not None and request.user.is_superuser:
            form.instance.groups.add(members)
            messages.info(request, f"In the group {MEMBERS}: {form.instance}.")
        else:
            messages.warning(request, f"In no group yet, and so without any permission: {form.instance}.")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else PARTS

    def owner_id(self, obj: Any) -> int:
        user_id: int = obj.pk
        return user_id

    def get_queryset(self, request: HttpRequest) -> Any:
        permissions = Prefetch("user_permissions", WITH_CONTENT_TYPE)
        return super().get_queryset(request).prefetch_related("groups", permissions)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Privileges are given by superusers: whoever may give them could give himself all. And by others than
        oneself: so there is always a superuser left."""
        shown = ("role", "has_password", "waiting_link", "last_seen", "last_login", "date_joined", "usage")
        if obj is not None and obj.pk == request.user.pk:
            return (*shown, "is_active", "is_service", *PRIVILEGES)
        if request.user.is_superuser:
            return shown
        is_operator = obj is not None and (obj.is_staff or obj.is_superuser)
        return (*shown, *PRIVILEGES, "is_service") if is_operator else (*shown, *PRIVILEGES)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user = self.get_object(request, id)
        if isinstance(user, User) and user.is_service:
            messages.error(request, f"{user} is a service account: nobody signs in to it, so it has no password.")
            return redirect("admin:sessions_app_user_change", user.pk)
        page: HttpResponse = super().user_change_password(request, id, form_url)
        return page

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_self = obj is not None and obj.pk == request.user.pk
        return not is_self and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Sessions, tokens and memberships are history, but their user's, and go with him. What an operator did
        stays, and keeps him.
        """
        nested, counts, lacking, protected = super().get_deleted_objects(objs, request)
        pages = self.admin_site._registry.items()
        history = {model._meta.verbose_name for model, page in pages if getattr(page, "goes_with_its_user", False)}
        return nested, counts, lacking - history, protected

    def note(self, users: list[User]) -> None:
        User.note_last_seen(users)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change and obj.is_service and "is_service" in form.changed_data:
            obj.become_service(reason_of(request))
        super().save_model(request, obj, form, change)

    @admin.display(description="role")
    def role(self, user: User) -> str:
        return user.role if user.pk else "—"

    @admin.display(description="last seen")
    def last_seen(self, user: User) -> str:
        return moment(user.last_seen_at)

    @admin.display(description="usage")
    def usage(self, user: User) -> str:
        return usage_of(user)

    @admin.display(description="groups")
    def group_names(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    @admin.display(description="password", boolean=True)
    def has_password(self, user: User) -> bool:
        return user.has_usable_password()
