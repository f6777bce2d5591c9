from django.contrib import admin

from sessions_app.models import TokenFamily

from .credential import SignInAdmin


@admin.register(TokenFamily)
class TokenFamilyAdmin(SignInAdmin):
    """Access and refresh tokens by the sign-in that they come from: they are revoked together."""

    list_display = ("prefix", "user", "status", "last_used_at", "created_at", "expires_at", "ip")
