"""What the pages of all credentials have in common: never a secret, and a way to revoke, with a reason."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sessions_app.models.credential import Credential, CredentialQuerySet
from sessions_app.models.session_token import SessionTokenQuerySet
from sessions_app.models.sign_in import SignInQuerySet

from .people import AboutPeople

LONGEST_TYPED = 100


class RevokeForm(ActionForm):
    reason = forms.CharField(
        required=False,
        max_length=LONGEST_TYPED,
        label="Reason:",
        widget=forms.TextInput(attrs={"placeholder": "for revoking", "size": 12, "maxlength": LONGEST_TYPED}),
    )


class ByStatus(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("valid", "Valid"), ("revoked", "Revoked"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "valid" if isinstance(queryset, CredentialQuerySet):
                return queryset.valid()
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "expired" if isinstance(queryset, SignInQuerySet | SessionTokenQuerySet):
                return queryset.over(timezone.now()).filter(revoked_at=None)
            case "expired":
                return queryset.filter(revoked_at=None, expires_at__lte=timezone.now())
        return queryset


class CredentialAdmin(AboutPeople):
    list_filter = (ByStatus, "created_at")
    list_select_related = ("user",)
    actions = ("revoke",)
    action_form = RevokeForm
    never_searched = ("digest",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Revoking is a change, also of what has nothing else to change."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    @admin.display(description="status")
    def status(self, credential: Credential) -> str:
        return credential.status

    @admin.display(description="narrowed to")
    def narrowed(self, credential: Credential) -> str:
        if credential.scopes is None:
            return "—"
        return ", ".join(scope.partition(".")[2] for scope in credential.scopes) or "nothing"

    @admin.action(
        description="Revoke this %(verbose_name)s",
        description_plural="Revoke the selected %(verbose_name_plural)s",
        permissions=["revoke"],
        location=[admin.ActionLocation.CHANGE_LIST, admin.ActionLocation.CHANGE_FORM],
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        credentials = self.allowed(request, queryset.select_related("user"))
        reason = reason_of(request)
        revoked = [credential for credential in credentials if credential.revoke(reason)]
        for credential in revoked:
            self.log_change(request, credential, f"Revoked. {typed_reason(request)}".strip())
        messages.success(request, f"Revoked: {len(revoked)}. Revoked before: {len(credentials) - len(revoked)}.")


class SignInAdmin(CredentialAdmin):
    """What clients got for a password: it can be revoked, and given a rate of its own, and nothing else."""

    search_fields = ("public_id", "=user__username", "=ip")
    own_fields: tuple[str, ...] = ("prefix",)
    times: tuple[str, ...] = ("created_at", "last_used_at", "expires_at", "revoked_at", "revoked_reason")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            (None, {"fields": (*self.own_fields, "user", "status", "narrowed", "rate")}),
            ("Times", {"fields": self.times}),
            ("Signed in from", {"fields": ("ip", "user_agent")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = (*self.own_fields, "user", "status", "narrowed", *self.times, "ip", "user_agent")
        return tuple(dict.fromkeys(shown))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="prefix", ordering="public_id")
    def prefix(self, credential: Credential) -> str:
        return credential.prefix


def reason_of(request: HttpRequest) -> str:
    """By whom, and what he wrote about it."""
    typed, by = typed_reason(request), f"by {request.user.get_username()}"
    return f"{by}: {typed}" if typed else by


def typed_reason(request: HttpRequest) -> str:
    # The action's form has a prefix where it is above one object's fields.
    typed = request.POST.get("reason") or request.POST.get("CHANGE_FORM-reason") or ""
    return typed.strip()[:LONGEST_TYPED]
