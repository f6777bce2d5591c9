"""One's name, address and password. Where it matters, who is signed in shows that he knows the password still."""

from math import ceil
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import SetPasswordMixin
from django.contrib.auth.password_validation import password_validators_help_texts
from django.db import transaction
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from sessions_app.exceptions import Crowded, RateLimited
from sessions_app.models import User

TOO_MANY, WRONG = "too_many", "wrong"


class KnowingForm(forms.Form):
    """Asks for the current password, behind the limits of signing in."""

    current_password = forms.CharField(
        label="Current password",
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )

    def __init__(self, request: HttpRequest, user: User, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, label_suffix="", **kwargs)
        self._request, self._user = request, user
        self._known: User | None = None

    @sensitive_variables("password")
    def check(self, password: str) -> None:
        """Raises: ValidationError."""
        try:
            known = authenticate(self._request, username=self._user.get_username(), password=password)
        except (RateLimited, Crowded) as refusal:
            minutes = ceil(refusal.retry_after / 60)
            text = f"Too many wrong passwords. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
            raise forms.ValidationError(text, code=TOO_MANY) from None
        if not isinstance(known, User) or known.pk != self._user.pk:
            raise forms.ValidationError("That is not your password.", code=WRONG)
        self._known = known  # with its hash, which is made anew when hashing has become harder

    def now(self) -> User | None:
        """The account, locked, as it is now; None if the password that was shown is none of it any more."""
        accounts = User.objects.select_for_update(no_key=True).filter(pk=self._user.pk, is_active=True)
        return (accounts if self._known is None else accounts.filter(password=self._known.password)).first()

    @property
    def status(self) -> int:
        return 429 if self.has_error("current_password", TOO_MANY) else 400


class ProfileForm(KnowingForm):
    first_name = forms.CharField(
        max_length=150, required=False, widget=forms.TextInput({"autocomplete": "given-name"})
    )
    last_name = forms.CharField(
        max_length=150, required=False, widget=forms.TextInput({"autocomplete": "family-name"})
    )
    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        required=False,
        help_text="A link to choose a new password goes there, so changing it takes the current one.",
        widget=forms.EmailInput({"autocomplete": "email"}),
    )
    field_order = ("first_name", "last_name", "email", "current_password")
    NAMES = ("first_name", "last_name", "email")

    def __init__(self, request: HttpRequest, user: User, data: Any = None) -> None:
        super().__init__(
            request, user, data, initial={name: getattr(user, name) for name in self.NAMES}, prefix="profile"
        )
        self.fields["current_password"].required = False
        self.fields["current_password"].help_text = "Only to change the e-mail."

    @sensitive_variables("password")
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "email" in cleaned and cleaned["email"] != self._user.email:
            password = cleaned.get("current_password")
            try:
                if not password:
                    raise forms.ValidationError("To change the e-mail, write your current password.", code=WRONG)
                self.check(password)
            except forms.ValidationError as error:
                self.add_error("current_password", error)
        return cleaned

    @transaction.atomic
    def save(self) -> bool:
        """False if the password was changed meanwhile: then it is not known that it is still known."""
        user = self.now()
        if user is None:
            return False
        for name in self.NAMES:
            setattr(user, name, self.cleaned_data[name])
        user.save(update_fields=self.NAMES)
        return True


class PasswordForm(SetPasswordMixin[User], KnowingForm):
    new_password1, new_password2 = SetPasswordMixin.create_password_fields("New password", "New password, again")
    field_order = ("current_password", "new_password1", "new_password2")

    def __init__(self, request: HttpRequest, user: User, data: Any = None) -> None:
        super().__init__(request, user, data, prefix="password")
        self.fields["new_password1"].help_text = " ".join(password_validators_help_texts())
        self.fields["new_password2"].help_text = ""

    @sensitive_variables("password")
    def clean_current_password(self) -> str:
        password: str = self.cleaned_data["current_password"]
        self.check(password)
        return password

    def clean(self) -> dict[str, Any]:
        self.validate_passwords("new_password1", "new_password2")
        self.validate_password_for_user(self._user, "new_password2")
        return super().clean() or {}

    @transaction.atomic
    def save(self) -> User | None:
        """As it is with the new password; None if somebody else changed it meanwhile."""
        user = self.now()
        if user is not None:
            user.set_password(self.cleaned_data["new_password1"])
            user.save(update_fields=["password"])
        return user
