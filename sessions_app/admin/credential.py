"""What the pages of all credentials have in common: never a secret, and a way to revoke, with a reason."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sessions_app.models.credential import Credential, CredentialQuerySet
from sessions_app.models.session_token import SessionTokenQuerySet
from sessions_app.models.sign_in import SignInQuerySet

from .asking import Question, asks, reason_of, typed_reason
from .people import AboutPeople
from .whole_words import WholeWords

REVOKING = Question(
    title="Revoke",
    says="Whoever uses these is refused from the next request on; what they have open ends at once. It cannot"
    " be undone.",
    yes="Revoke",
    reason="Why? (optional; operators read it, and whoever still holds the secret is told)",
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


class CredentialAdmin(WholeWords, AboutPeople):
    list_filter = (ByStatus, "created_at")
    list_select_related = ("user",)
    actions: tuple[str, ...] = ("revoke",)
    never_searched = ("digest", "previous_digest")

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
    @asks(REVOKING)
    def revoke(self, request: HttpRequest, credentials: list[Any]) -> None:
        reason, tell = reason_of(request), typed_reason(request)
        revoked = [credential for credential in credentials if credential.revoke(reason, tell)]
        for credential in revoked:
            self.log_change(request, credential, f"Revoked. {typed_reason(request)}".strip())
        messages.success(request, f"Revoked: {len(revoked)}. Revoked before: {len(credentials) - len(revoked)}.")


class SignInAdmin(CredentialAdmin):
    """What clients got for a password: it can be revoked, and given a rate of its own, and nothing else."""

    search_fields = ("public_id", "user__username", "ip")
    search_help_text = "A prefix as lists show it, a whole user name, or an address."
    goes_with_its_user = True
    own_fields: tuple[str, ...] = ("prefix",)
    times: tuple[str, ...] = (
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
        "revoked_reason",
        "revoked_message",
    )

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
