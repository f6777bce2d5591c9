import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest

from sessions_app.exceptions import PreferenceRefused, Unparsable
from sessions_app.models import Preference
from sessions_app.models.preference import check_size
from sessions_app.transport import strict_json
from sessions_app.unfolded import Textarea

from .people import AboutPeople, is_saved
from .whole_words import WholeWords

LONGEST_SHOWN = 80


class AnyJson(forms.JSONField):
    """Any JSON value, null included, read as strictly as a call's arguments are."""

    widget = Textarea(attrs={"rows": 8, "class": "json"})

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            raise ValidationError("Write a JSON value; null is one.", code="required")
        try:
            return strict_json.loads(text.encode("utf-8", "surrogatepass"))
        except Unparsable as error:
            raise ValidationError(error.message, code="invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        return InvalidJSONInput(data or "")  # shown again as it was typed

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, InvalidJSONInput) else as_json(value, indent=2)


class PreferenceForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    value = AnyJson(required=False, help_text='JSON, such as "dark", 25, [1, 2], {"a": true} or null.')

    class Meta:
        model = Preference
        fields = ("user", "key", "value")

    def clean(self) -> dict[str, Any]:
        """The rules of `Preference.objects.put`, asked before it is called."""
        super().clean()
        if not self.errors:
            try:
                self.check_put()
            except PreferenceRefused as refusal:
                raise ValidationError(str(refusal)) from None
        return self.cleaned_data

    def check_put(self) -> None:
        key, value = self.cleaned_data.get("key", self.instance.key), self.cleaned_data["value"]
        user_id = self.instance.user_id if is_saved(self.instance) else self.cleaned_data["user"].pk
        check_size(key, value)
        Preference.objects.check_room(user_id, key, value)


@admin.register(Preference)
class PreferenceAdmin(WholeWords, AboutPeople):
    form = PreferenceForm
    list_display = ("key", "user", "shown_value", "updated_at")
    list_filter = ("updated_at",)
    list_select_related = ("user",)
    search_fields = ("user__username", "key")
    search_help_text = "A whole user name or key."

    def get_fields(self, request: HttpRequest, obj: Preference | None = None) -> Any:
        if not is_saved(obj):
            return ("user", "key", "value")
        value = "value" if self.has_change_permission(request, obj) else "whole_value"
        return ("user", "key", value, "updated_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Preference | None = None) -> Any:
        return ("user", "key", "whole_value", "updated_at") if is_saved(obj) else ()

    def save_model(self, request: HttpRequest, obj: Preference, form: Any, change: bool) -> None:
        Preference.objects.put(obj.user_id, obj.key, obj.value)
        obj.pk = Preference.objects.get(user_id=obj.user_id, key=obj.key).pk

    @admin.display(description="value")
    def shown_value(self, preference: Preference) -> str:
        return shortened(preference.value)

    @admin.display(description="value")
    def whole_value(self, preference: Preference) -> str:
        return as_json(preference.value, indent=2)


def shortened(value: Any) -> str:
    text = as_json(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def as_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
