"""What somebody decides who connects a client: which one, and what its key may do, and for how long."""

from datetime import timedelta
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from sessions_app.admin.api_key_form import scope_choices
from sessions_app.api.keys import ApiKeyMaker
from sessions_app.connect import CLIENTS
from sessions_app.models import ApiKey, User
from sessions_app.models.api_key import DEFAULT_LIFETIME
from sessions_app.principal import Principal
from sessions_app.tokens import Token

LIFETIMES = {7: "7 days", 30: "30 days", DEFAULT_LIFETIME.days: "90 days", 180: "180 days", 365: "1 year"}
LONGEST_NAME = 100


class ConnectForm(forms.Form):
    client = forms.ChoiceField(
        choices=[(name, client.title) for name, client in CLIENTS.items()],
        initial=next(iter(CLIENTS)),
        widget=forms.RadioSelect,
        label="Which client?",
    )
    name = forms.CharField(
        max_length=LONGEST_NAME,
        label="A name for its key",
        help_text="What you will know it by in lists, such as “laptop”.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    lifetime = forms.TypedChoiceField(
        choices=list(LIFETIMES.items()), coerce=int, initial=DEFAULT_LIFETIME.days, label="Valid for"
    )
    scopes = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Narrow it to",
        help_text="None checked: the key may do all that you may.",
    )

    def __init__(self, principal: Principal, data: Any = None) -> None:
        super().__init__(data, label_suffix="")
        self._principal = principal
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)  # noqa: S101 (declared above)
        scopes.choices = [choice for choice in scope_choices(None) if principal.may(choice[0])]

    def make(self, user: User) -> tuple[ApiKey, Token] | None:
        """The key and its secret; None if it was refused, which the form then says. Raises: Unauthenticated."""
        wanted = self.cleaned_data
        try:
            return self._make(user, wanted["name"], wanted["scopes"] or None, timedelta(days=wanted["lifetime"]))
        except ValidationError as refusal:
            for field, sentences in by_field(refusal).items():
                self.add_error(field if field in self.fields else None, sentences)
            return None

    @transaction.atomic
    def _make(self, user: User, name: str, scopes: list[str] | None, lifetime: timedelta) -> tuple[ApiKey, Token]:
        """Whoever reloads the page with the secret sends the form again: that must not make a second key."""
        User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()  # of two at once, one is first
        if user.api_keys.valid().filter(name=name).exists():
            raise ValidationError(
                {"name": ["You have a key of that name. Revoke it first, or choose another name."]}
            )
        return ApiKeyMaker(user, self._principal).make(name, scopes, expires_at=timezone.now() + lifetime)


def by_field(refusal: ValidationError) -> dict[str, list[str]]:
    detail: Any = refusal.detail
    found = detail if isinstance(detail, dict) else {"": detail}
    return {field: [str(sentence) for sentence in sentences] for field, sentences in found.items()}
