from django.contrib import admin

from . import (
    api_key,
    group,
    history,
    outside_identity,
    preference,
    revoked_token,
    session,
    session_token,
    sign_in,
    token_family,
    user,
)  # fmt: skip

__all__ = [
    "api_key", "group", "history", "outside_identity", "preference", "revoked_token", "session", "session_token",
    "sign_in", "token_family", "user",
]  # fmt: skip

admin.site.site_header = admin.site.site_title = "Concierge"
admin.site.index_title = "Control room"
admin.site.site_url = None  # the way back would lead here
admin.site.login_form = sign_in.SignInForm
admin.site.empty_value_display = "—"
