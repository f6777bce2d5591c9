from django.contrib import admin

from . import api_key, group, history, preference, session, user

__all__ = ["api_key", "group", "history", "preference", "session", "user"]

admin.site.site_header = admin.site.site_title = "Concierge"
admin.site.index_title = "Control room"
admin.site.site_url = None  # the way back would lead here
admin.site.empty_value_display = "—"
