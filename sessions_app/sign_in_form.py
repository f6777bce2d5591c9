from math import ceil
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError

from .exceptions import Crowded, RateLimited

TOO_MANY = "too_many"


class SignInForm(AuthenticationForm):
    """Says when to come back, where too much failed."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except (RateLimited, Crowded) as refusal:
            minutes = ceil(refusal.retry_after / 60)
            text = f"Too many sign-ins failed. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
            raise ValidationError(text, code=TOO_MANY) from None
