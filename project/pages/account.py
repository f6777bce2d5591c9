"""Who one is here, and the password."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from .account_forms import PasswordForm, ProfileForm
from .signed_in import ACCOUNT, MyView

MEANWHILE = "The password was changed meanwhile, so nothing was done. Sign in again."


@method_decorator(sensitive_post_parameters(), name="dispatch")
class AccountView(MyView):
    section = ACCOUNT

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show()

    def post(self, request: HttpRequest) -> HttpResponse:
        match request.POST.get("do"):
            case "profile":
                return self._profile(ProfileForm(request, self.user, request.POST))
            case "password":
                return self._password(PasswordForm(request, self.user, request.POST))
        return self._show(status=400)

    def _profile(self, form: ProfileForm) -> HttpResponse:
        if not form.is_valid():
            return self._show(profile=form, status=form.status)
        if form.save():
            messages.success(self.request, "Saved.")
        else:
            messages.error(self.request, MEANWHILE)
        return redirect(ACCOUNT.name)

    def _password(self, form: PasswordForm) -> HttpResponse:
        if not form.is_valid():
            return self._show(password=form, status=form.status)
        user = form.save()
        if user is None:
            messages.error(self.request, MEANWHILE)
        else:
            update_session_auth_hash(self.request, user)  # this browser stays; all others are signed out
            messages.success(
                self.request,
                "Your password was changed. Other browsers are signed out, and session tokens and sign-ins of"
                " programs have ended; API keys go on.",
            )
        return redirect(ACCOUNT.name)

    def _show(
        self, profile: ProfileForm | None = None, password: PasswordForm | None = None, status: int = 200
    ) -> HttpResponse:
        forms = {
            "profile": profile or ProfileForm(self.request, self.user),
            "password": password or PasswordForm(self.request, self.user),
        }
        return self.page("account", status, **forms)
