from django.contrib import admin

from sessions_app.models import SessionToken

from .credential import SignInAdmin


@admin.register(SessionToken)
class SessionTokenAdmin(SignInAdmin):
    list_display = (
        "shown_prefix",
        "name",
        "user",
        "status",
        "last_used_at",
        "idle_expires_at",
        "expires_at",
        "ip",
    )
    own_fields = ("shown_prefix", "name")
    times = (
        "created_at", "last_used_at", "idle_expires_at", "expires_at", "revoked_at", "revoked_reason",
        "revoked_message",
    )  # fmt: skip

    @admin.display(description="token", ordering="public_id")
    def shown_prefix(self, token: SessionToken) -> str:
        return f"{token.prefix}…{token.last_four}"
