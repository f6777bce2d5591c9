from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from sessions_app.models import RevokedToken
from sessions_app.unfolded import ModelAdmin

from .asking import reason_of
from .group import is_superuser
from .whole_words import WholeWords


@admin.register(RevokedToken)
class RevokedTokenAdmin(WholeWords, ModelAdmin):
    """Adding one revokes it, whosever it is: so superusers do. None is taken back."""

    list_display = ("jti", "issuer", "revoked_at", "expires_at", "reason")
    list_filter = ("revoked_at",)
    search_fields = ("jti", "issuer")
    search_help_text = "A whole jti or issuer."
    fields = ("issuer", "jti", "expires_at", "reason")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: RevokedToken, form: Any, change: bool) -> None:
        RevokedToken.objects.revoke(obj.issuer, obj.jti, obj.expires_at, reason_of(request))
        obj.pk = RevokedToken.objects.get(issuer=obj.issuer, jti=obj.jti).pk
