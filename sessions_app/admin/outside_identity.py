from django.contrib import admin

from sessions_app.models import OutsideIdentity

from .people import AboutPeople


@admin.register(OutsideIdentity)
class OutsideIdentityAdmin(AboutPeople):
    """Deleting one keeps the subject out; another user is another row."""

    list_display = ("subject", "issuer", "user", "created_at")
    list_filter = ("issuer", "created_at")
    list_select_related = ("user",)
    search_fields = ("subject", "user__username")
    fields = ("user", "issuer", "subject")
