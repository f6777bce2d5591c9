from django.contrib import admin

from sessions_app.models import OutsideIdentity

from .people import AboutPeople
from .whole_words import WholeWords


@admin.register(OutsideIdentity)
class OutsideIdentityAdmin(WholeWords, AboutPeople):
    """Deleting one keeps the subject out; another user is another row."""

    list_display = ("subject", "issuer", "user", "created_at")
    list_filter = ("issuer", "created_at")
    list_select_related = ("user",)
    search_fields = ("subject", "user__username")
    search_help_text = "A whole subject or user name."
    fields = ("user", "issuer", "subject")
