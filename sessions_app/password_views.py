"""Where the link in the mail leads: Django's steps on pages of ours. No other site is told where one came from."""

from typing import Any

from django.contrib.auth.views import PasswordResetCompleteView, PasswordResetConfirmView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path


class ChoosePassword(PasswordResetConfirmView):
    template_name = "sessions_app/choose_password.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"label_suffix": ""}

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(*args, **kwargs)
        return private(response)


class PasswordChosen(PasswordResetCompleteView):
    template_name = "sessions_app/password_chosen.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return private(super().dispatch(request, *args, **kwargs))


def private(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


urlpatterns = [
    path("password/<uidb64>/<token>/", ChoosePassword.as_view(), name="password_reset_confirm"),
    path("password/chosen/", PasswordChosen.as_view(), name="password_reset_complete"),
]
