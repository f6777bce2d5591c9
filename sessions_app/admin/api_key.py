from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from sessions_app.models import ApiKey
from sessions_app.models.api_key import DEFAULT_LIFETIME
from sessions_app.tokens import Token

from .credential import CredentialAdmin
from .people import is_saved


class ApiKeyForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    scopes = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Narrow the key to these. None checked: all that its owner may do.",
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "scopes", "rate", "expires_at")
        labels = {"user": "Owner"}
        help_texts = {"user": "The key may do what its owner may."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)  # noqa: S101 (declared above)
        scopes.choices = scope_choices(self.instance.scopes)
        if self.is_new:
            self.initial.setdefault("expires_at", timezone.now() + DEFAULT_LIFETIME)

    @property
    def is_new(self) -> bool:
        return not is_saved(self.instance)

    def clean_scopes(self) -> list[str] | None:
        return sorted(self.cleaned_data["scopes"]) or self.unchecked()

    def unchecked(self) -> list[str] | None:
        """A new key without scopes is not narrowed. One that was stays so: unchecking all leaves it none."""
        return None if self.is_new or self.instance.scopes is None else []

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.is_new:
            self.refuse_a_past_end()
            self.refuse_a_second()
        return self.cleaned_data

    def refuse_a_past_end(self) -> None:
        expires_at = self.cleaned_data.get("expires_at")
        if expires_at is not None and expires_at <= timezone.now():
            self.add_error("expires_at", "That is in the past.")

    def refuse_a_second(self) -> None:
        """Whoever reloads the page with the secret sends the form again: that must not make a second key."""
        user, name = self.cleaned_data.get("user"), self.cleaned_data.get("name")
        if ApiKey.objects.valid().filter(user=user, name=name).exists():
            self.add_error("name", f"{user} has a key of that name. Revoke it first, or choose another name.")


def scope_choices(already: list[str] | None) -> list[tuple[str, str]]:
    """The capabilities' permissions by their readable names, and any other that the key has already."""
    rows = Permission.objects.filter(content_type__app_label="tools_app").exclude(
        codename__regex="^(add|change|delete|view|export)_tool(call|policy)$"
    )
    choices = [(f"tools_app.{row.codename}", row.name) for row in rows.order_by("name")]
    listed = {value for value, _ in choices}
    return choices + [(scope, scope) for scope in already or () if scope not in listed]


@admin.register(ApiKey)
class ApiKeyAdmin(CredentialAdmin):
    form = ApiKeyForm
    list_display = ("name", "shown_prefix", "user", "status", "last_used_at", "expires_at", "rate", "narrowed")
    search_fields = ("name", "public_id", "user__username")

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if not is_saved(obj):
            return ("user", "name", "scopes", "rate", "expires_at")
        scopes = "scopes" if self.has_change_permission(request, obj) else "narrowed"
        known = ("created_at", "last_used_at", "revoked_at", "revoked_reason")
        return ("user", "name", "shown_prefix", "status", scopes, "rate", "expires_at", *known)

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        shown = (
            "shown_prefix",
            "status",
            "narrowed",
            "created_at",
            "last_used_at",
            "revoked_at",
            "revoked_reason",
        )
        return ("user", *shown) if is_saved(obj) else ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        # A new key is followed by its secret, whichever of the buttons was pressed. So there is one.
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, {**context, **only_save}, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            # Handed to response_add within this request, and kept nowhere.
            request.new_token = obj.give_secret()  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The one page that ever shows the secret. It is the answer itself, so the secret is stored nowhere."""
        token: Token = request.new_token  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            "admin/sessions_app/apikey/secret.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": "Your new API key",
                "key": obj,
                "secret": token.value,
                "endpoint": f"{settings.CONFIG.origin}/mcp",
            },
        )

    @admin.display(description="key", ordering="public_id")
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…{key.last_four}"
