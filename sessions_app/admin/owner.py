"""Whose something is to be: typed, for there may be a hundred thousand users; a few names are suggested."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sessions_app.models import User
from sessions_app.unfolded import TextInput

MOST_SUGGESTED = 50


class Suggesting(TextInput):  # type: ignore[misc]  # Any
    users: QuerySet[User]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, {**(attrs or {}), "list": f"{name}-names"}, renderer)
        names = self.users.values_list("username")[:MOST_SUGGESTED]
        options = format_html_join("", '<option value="{}"></option>', names)
        return format_html('{}<datalist id="{}-names">{}</datalist>', field, name, options)


class OwnerField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    """By the whole user name, of those that whoever asks may speak for."""

    widget = Suggesting
    default_error_messages = {"invalid_choice": "There is no such user whom you may speak for."}

    def __init__(self, queryset: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(queryset, **{**kwargs, "to_field_name": "username"})
        self.widget.users = queryset
        self.widget.attrs["autocomplete"] = "off"

    def to_python(self, value: Any) -> User | None:
        found: User | None = super().to_python(value.strip() if isinstance(value, str) else value)
        return found
