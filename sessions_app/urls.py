"""What is below `/api/` of this app. Whoever includes it puts his own paths before `nothing_here`."""

from django.urls import path, re_path

from . import converters  # noqa: F401 (registers `anything`)
from .api import key_rotation, keys, preferences, schema, session_tokens, sessions, token, view, websocket_tickets

app_name = "api"

urlpatterns = [
    path("token/", token.TokenView.as_view()),
    path("token/refresh/", token.RefreshView.as_view()),
    path("token/revoke/", token.RevokeView.as_view()),
    path("session-tokens/", session_tokens.SessionTokensView.as_view()),
    path("session-tokens/<int:id>/", session_tokens.SessionTokenView.as_view()),
    path("keys/", keys.ApiKeysView.as_view()),
    path("keys/<int:id>/", keys.ApiKeyView.as_view()),
    path("keys/<int:id>/rotate/", key_rotation.RotatedKeyView.as_view()),
    path("sessions/", sessions.SessionsView.as_view()),
    path("sessions/<int:id>/", sessions.SessionView.as_view()),
    path("websocket-tickets/", websocket_tickets.WebSocketTicketsView.as_view()),
    path("preferences/", preferences.PreferencesView.as_view()),
    path("preferences/<anything:key>/", preferences.PreferenceView.as_view()),
    path("schema/", schema.SchemaView.as_view(), name="schema"),
    path("docs/", schema.DocsView.as_view(), name="docs"),
]
nothing_here = [re_path("", view.NothingHere.as_view())]
