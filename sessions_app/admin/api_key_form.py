from typing import Any

from django import forms
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.utils import timezone

from sessions_app.models import ApiKey
from sessions_app.models.api_key import DEFAULT_LIFETIME, MOST_ADDRESSES, read_addresses
from sessions_app.unfolded import Checkboxes, Textarea

from .people import is_saved

NOT_A_SCOPE = "^(add|change|delete|view|export)_"
"""Of what operators do with rows; a key is for calling."""


class Lines(forms.Field):
    """One text a line."""

    widget = Textarea(attrs={"rows": 3, "placeholder": "10.0.0.0/8"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)


class ApiKeyForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    scopes = forms.MultipleChoiceField(
        required=False,
        widget=Checkboxes,
        help_text="Narrow the key to these. None checked: all that its owner may do.",
    )
    addresses = Lines(
        required=False,
        help_text=f"Networks it may be used from, one a line; at most {MOST_ADDRESSES}. Empty: from anywhere.",
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "scopes", "rate", "expires_at", "addresses")
        labels = {"user": "Owner", "rate": "Limit"}
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

    def clean_addresses(self) -> list[str]:
        try:
            return read_addresses(self.cleaned_data["addresses"])
        except ValidationError as refusal:
            raise ValidationError(refusal.messages) from None

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
    rows = Permission.objects.filter(content_type__app_label="tools_app").exclude(codename__regex=NOT_A_SCOPE)
    choices = [(f"tools_app.{row.codename}", row.name) for row in rows.order_by("name")]
    listed = {value for value, _ in choices}
    return choices + [(scope, scope) for scope in already or () if scope not in listed]
