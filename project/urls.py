from django.contrib import admin
from django.urls import include, path

from collab_app import urls as rooms
from collab_app import views as room_views
from sessions_app import password_views, sign_in_views
from sessions_app.urls import nothing_here
from tools_app.api import UsageView

from . import health
from .pages import urls as pages

handler500 = "project.crash.crashed"

urlpatterns = [
    path("", include(pages)),
    path("api/", include("sessions_app.urls")),
    path("api/usage/", UsageView.as_view()),
    path("api/", include(rooms)),
    path("api/", include(nothing_here)),
    path("admin/", admin.site.urls),
    path("", include(sign_in_views)),
    path("", include(password_views)),
    path("", include(room_views)),
    path("livez", health.livez),
    path("readyz", health.readyz),
]
