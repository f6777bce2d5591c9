"""Where the link in the mail leads: to Django's own pages, which tell no other site where one came from."""

from typing import Any

from django.contrib.auth.views import PasswordResetCompleteView, PasswordResetConfirmView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

NAME = {"site_header": "Concierge", "site_title": "Concierge"}


class ChoosePassword(PasswordResetConfirmView):
    extra_context = NAME

    def dispatch(self, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(*args, **kwargs)
        return private(response)


class PasswordChosen(PasswordResetCompleteView):
    extra_context = NAME

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return private(super().dispatch(request, *args, **kwargs))


def private(response: HttpResponseBase) -> HttpResponseBase:
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


urlpatterns = [
    path("password/<uidb64>/<token>/", ChoosePassword.as_view(), name="password_reset_confirm"),
    path("password/chosen/", PasswordChosen.as_view(), name="password_reset_complete"),
]
