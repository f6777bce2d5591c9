"""Everybody's door, and the way out of it; staff have another to the admin. Both are behind the same limits."""

from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from .sign_in_form import TOO_MANY, SignInForm


@method_decorator(never_cache, name="dispatch")
class SignInView(LoginView):
    http_method_names = ["get", "head", "post", "options"]  # not PUT, which is Django's other name for POST
    form_class = SignInForm
    template_name = "sessions_app/sign_in.html"
    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Not to here: whoever is signed in already would go round and round."""
        url = super().get_redirect_url(request)
        return "" if urlsplit(url).path == self.request.path else url

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"label_suffix": ""}

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 429 if form.has_error("__all__", TOO_MANY) else 400
        return response


urlpatterns = [
    path("sign-in/", SignInView.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(next_page="sign-in"), name="sign-out"),
]
