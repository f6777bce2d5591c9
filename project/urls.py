from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from sessions_app import password_views
from sessions_app.urls import nothing_here
from tools_app.api import UsageView

from . import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("api/", include("sessions_app.urls")),
    path("api/usage/", UsageView.as_view()),
    path("api/", include(nothing_here)),
    path("admin/", admin.site.urls),
    path("", include(password_views)),
    path("livez", health.livez),
    path("readyz", health.readyz),
]
