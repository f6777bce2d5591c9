from django.urls import path, register_converter
from django.urls.converters import StringConverter

from .account import AccountView
from .connect import ConnectionView, ConnectView
from .home import HomeView
from .keys import KINDS, KeysView, RevokeView
from .preferences import DeleteView, PreferencesView, PreferenceView
from .rooms import RoomsView
from .sessions import EndView, SessionsView
from .usage import UsageView


class Kind(StringConverter):
    """Of credentials."""

    regex = "|".join(KINDS)


register_converter(Kind, "credential")

urlpatterns = [
    path("", HomeView.as_view(), name="home"),
    path("me/", ConnectView.as_view(), name="me"),
    path("me/connection/<int:pk>/", ConnectionView.as_view(), name="my-connection"),
    path("me/keys/", KeysView.as_view(), name="my-keys"),
    path("me/keys/<credential:kind>/<int:pk>/revoke/", RevokeView.as_view(), name="my-revoke"),
    path("me/sessions/", SessionsView.as_view(), name="my-sessions"),
    path("me/sessions/<int:pk>/end/", EndView.as_view(), name="my-end"),
    path("me/rooms/", RoomsView.as_view(), name="my-rooms"),
    path("me/usage/", UsageView.as_view(), name="my-usage"),
    path("me/preferences/", PreferencesView.as_view(), name="my-preferences"),
    path("me/preferences/edit/", PreferenceView.as_view(), name="my-preference"),
    path("me/preferences/delete/", DeleteView.as_view(), name="my-preference-end"),
    path("me/account/", AccountView.as_view(), name="my-account"),
]
