"""A preference as people write it: a key, and any JSON value. What is refused is said; nothing typed is lost."""

import json
from typing import Any

from django import forms
from django.db import transaction

from sessions_app.exceptions import PreferenceRefused, Unparsable
from sessions_app.models import Preference, User
from sessions_app.models.preference import LONGEST_KEY, as_text
from sessions_app.transport import strict_json

JSON_WIDGET = forms.Textarea({"rows": 6, "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"})
LONGEST_TYPED = 64 * 1024
"""Characters: JSON with line breaks is longer than what is kept of it."""


def as_people_read(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


class ValueForm(forms.Form):
    value = forms.CharField(
        label="Value, as JSON",
        max_length=LONGEST_TYPED,
        strip=False,
        widget=JSON_WIDGET,
        help_text='Text stands in quotation marks: "like this".',
    )

    def clean_value(self) -> Any:
        try:
            return strict_json.loads(self.cleaned_data["value"].encode())
        except (Unparsable, UnicodeEncodeError) as error:
            said = str(error) if isinstance(error, Unparsable) else "Not accepted: half of a surrogate pair."
            raise forms.ValidationError(said) from None

    def keep(self, user: User, key: str) -> bool:
        """False if it was refused, which the form then says."""
        try:
            Preference.objects.put(user.pk, key, self.cleaned_data["value"])
        except PreferenceRefused as refusal:
            self.add_error(None, str(refusal))
            return False
        return True


class NewForm(ValueForm):
    key = forms.CharField(
        max_length=LONGEST_KEY,
        help_text="Such as “theme”. Tools and clients ask for it under this name.",
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ("key", "value")

    @transaction.atomic
    def add(self, user: User) -> bool:
        """What is there already is not overwritten unseen."""
        key = self.cleaned_data["key"]
        User.objects.select_for_update().filter(pk=user.pk).first()  # of two at once, one is first
        if Preference.objects.of(user.pk).filter(key=key).exists():
            self.add_error("key", "You have a preference of this key: edit that one.")
            return False
        return self.keep(user, key)


class EditForm(ValueForm):
    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    """When what the form shows was written: somebody else may have written since."""

    @transaction.atomic
    def change(self, user: User, key: str) -> bool:
        User.objects.select_for_update().filter(pk=user.pk).first()
        now, seen = Preference.objects.of(user.pk).filter(key=key).first(), self.cleaned_data["seen"]
        if now is None and seen:
            self.add_error(None, "It was deleted meanwhile. Save again to have it with this value.")
        elif now is not None and moment(now) != seen:
            self.add_error(None, f"Meanwhile it was changed to {as_text(now.value)}. Save again to replace that.")
        if self.errors:
            self.data = {"value": self.data["value"], "seen": "" if now is None else moment(now)}
            return False
        return self.keep(user, key)


def moment(preference: Preference) -> str:
    return preference.updated_at.isoformat()
